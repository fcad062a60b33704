import logging
import math

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from lmlab.callback.guard import Guard
from lmlab.optimizer.groups import parameter_groups
from lmlab.optimizer.muon import Muon
from lmlab.types import Failed, Mistake


def adamw(module):
    return torch.optim.AdamW(parameter_groups(module), lr=0.05, weight_decay=0.5, fused=True)


def muon(module):
    keys = {"momentum": 0.9, "num_iterations": 5, "adamw_lr": None, "adamw_betas": (0.9, 0.95), "adamw_eps": 1e-8}
    return Muon(parameter_groups(module), lr=0.05, weight_decay=0.5, **keys)


class Task(pl.LightningModule):
    """Counts its own steps, as lmlab's tasks do; `poison` multiplies loss or gradient of some steps."""

    def __init__(self, optimizer=adamw, loss_factor=None, gradient_factor=None, micro=1):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3))
        self.make, self.loss_factor, self.gradient_factor = optimizer, loss_factor or {}, gradient_factor or {}
        self.step, self.micro, self.num_micro, self.latest = 0, 0, micro, {}
        self.trace = []

    def training_step(self, batch, batch_idx):
        loss = (self.layers(batch) - batch.flip(-1)).square().mean() * self.loss_factor.get(self.step, 1.0)
        if self.step in self.gradient_factor:
            loss.register_hook(lambda gradient: gradient * self.gradient_factor[self.step])
        self.latest["loss"] = loss.detach()
        self.micro += 1
        return loss

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.step, self.micro = self.step + 1, 0
        self.trace.append([parameter.detach().clone() for parameter in self.parameters()])

    def configure_gradient_clipping(self, optimizer, **_):
        self.latest["grad_norm"] = nn.utils.clip_grad_norm_(self.parameters(), float("inf"))

    def configure_optimizers(self):
        return self.make(self)

    def on_save_checkpoint(self, checkpoint):
        del checkpoint["loops"]  # the data are given from where the run stands
        checkpoint["step"] = self.step

    def on_load_checkpoint(self, checkpoint):
        self.step = checkpoint["step"]


def fit(task, guard, folder, *, steps=20, start=0, **keys):
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(200, 3, generator=generator)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        callbacks=[guard],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        accumulate_grad_batches=task.num_micro,
    )
    trainer.fit(task, DataLoader(data[2 * start :], batch_size=2), **keys)
    return trainer


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_stop_names_the_first_bad_step_and_the_keys_to_try(tmp_path, value):
    with pytest.raises(Failed, match=rf"the loss is {value} at step 8.*optimizer\.lr.*gradient_clip_val.*precision"):
        fit(Task(loss_factor={7: value}), Guard(on_nan="stop", spike=None), tmp_path)


def test_stop_names_a_bad_gradient_of_a_good_loss(tmp_path):
    with pytest.raises(Failed, match="norm of the gradient is nan at step 8"):
        fit(Task(gradient_factor={7: math.nan}), Guard(on_nan="stop", spike=None), tmp_path)


@pytest.mark.parametrize("optimizer", [adamw, muon])
@pytest.mark.parametrize("poison", ["loss_factor", "gradient_factor"])
def test_a_skipped_step_changes_nothing_and_training_goes_on(tmp_path, optimizer, poison, caplog):
    caplog.set_level(logging.WARNING)
    task, guard = Task(optimizer, **{poison: {7: math.nan}}), Guard(on_nan="skip", spike=None)
    fit(task, guard, tmp_path)
    assert all(torch.equal(before, after) for before, after in zip(task.trace[6], task.trace[7], strict=True))
    assert not torch.equal(task.trace[7][0], task.trace[8][0])
    assert all(parameter.isfinite().all() for parameter in task.parameters())
    assert (task.step, guard.num_skipped) == (20, 1)
    assert "step 8 is skipped" in caplog.text


def test_a_skipped_window_of_several_passes_is_skipped_whole(tmp_path):
    task, guard = Task(gradient_factor={3: math.nan}, micro=3), Guard(on_nan="skip", spike=None)
    fit(task, guard, tmp_path, steps=6)
    assert torch.equal(task.trace[2][0], task.trace[3][0])
    assert guard.num_skipped == 1


def test_a_spike_is_treated_like_a_nan_once_the_mean_has_settled(tmp_path):
    early, late = Task(loss_factor={3: 50.0}), Task(loss_factor={15: 50.0})
    fit(early, Guard(on_nan="stop", spike=4.0), tmp_path, steps=9)
    with pytest.raises(Failed, match=r"at step 16") as failure:
        fit(late, Guard(on_nan="stop", spike=4.0), tmp_path)
    assert "above guard.spike=4.0 times its mean" in str(failure.value)


def test_too_many_skips_in_a_row_stop(tmp_path):
    task = Task(loss_factor=dict.fromkeys(range(5, 20), math.nan))
    with pytest.raises(Failed, match="4 steps in a row were skipped up to step 9"):
        fit(task, Guard(on_nan="skip", spike=None, max_skips=3), tmp_path)


def test_off_lets_everything_pass(tmp_path):
    task = Task(loss_factor={7: math.nan})
    fit(task, Guard(on_nan="off", spike=None), tmp_path)
    assert task.step == 20


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    task = Task()
    trainer = fit(task, Guard(on_nan="stop", spike=None), tmp_path, steps=3)
    with torch.no_grad():
        next(task.parameters())[0, 0] = math.nan
    with pytest.raises(Failed, match="a weight is not a finite number after step 3"):
        trainer.save_checkpoint(tmp_path / "bad.ckpt")
    assert not (tmp_path / "bad.ckpt").exists()


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_the_running_mean_goes_on_with_the_same_bits_after_a_resume(tmp_path, on_nan):
    whole, first, second = (Guard(on_nan=on_nan, spike=3.0) for _ in range(3))
    fit(Task(), whole, tmp_path, steps=17)
    fit(Task(), first, tmp_path, steps=12).save_checkpoint(tmp_path / "mid.ckpt")
    fit(Task(), second, tmp_path, steps=5, start=12, ckpt_path=tmp_path / "mid.ckpt", weights_only=True)
    assert second.count == 17
    assert second.state_dict() == whole.state_dict()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"on_nan": "halt", "spike": None}, "guard.on_nan=halt"),
        ({"on_nan": "off", "spike": 3.0}, "guard.spike=3.0 does nothing"),
        ({"on_nan": "stop", "spike": 0.5}, "guard.spike=0.5"),
    ],
)
def test_senseless_values_are_refused_with_their_key(keys, words):
    with pytest.raises(Mistake, match=words):
        Guard(**keys)


def test_a_bare_off_in_yaml_is_off():
    assert Guard(on_nan=False, spike=None).on_nan == "off"
