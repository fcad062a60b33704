import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from lmlab.callback.ema import EMA
from lmlab.types import Mistake


class Task(pl.LightningModule):
    """Counts its own steps, as lmlab's tasks do; has a tied, a frozen parameter and a buffer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.norm = nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3)
        self.two.weight = self.one.weight
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.step = 0
        self.seen, self.trace = [], []

    def forward(self, batch):
        return self.norm(self.two(self.one(batch).tanh()))

    def training_step(self, batch, batch_idx):
        return (self(batch) - batch.flip(-1)).square().mean()

    def optimizer_step(self, *args, **keys):
        super().optimizer_step(*args, **keys)
        self.step += 1
        self.trace.append(self.one.weight.detach().clone())

    def validation_step(self, batch, batch_idx):
        self.seen.append(self.one.weight.detach().clone())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.05)

    def on_save_checkpoint(self, checkpoint):
        checkpoint.pop("loops")  # the data are given from where the run stands
        checkpoint["step"] = self.step

    def on_load_checkpoint(self, checkpoint):
        self.step = checkpoint["step"]


class Save(pl.Callback):
    """As lmlab's checkpoint: full ones at the end of a step or after its validation, weights alone after validation."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_batch_end(self, trainer, pl_module, *_):
        if pl_module.step % 4:
            trainer.save_checkpoint(self.folder / f"{pl_module.step}.ckpt")

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            trainer.save_checkpoint(self.folder / f"{pl_module.step}.ckpt")
            trainer.save_checkpoint(self.folder / f"best_{pl_module.step}.ckpt", weights_only=True)


def fit(task, ema, folder, *, steps=10, start=0, save_first=False, **keys):
    data = torch.randn(100, 3, generator=torch.Generator().manual_seed(1))
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        callbacks=[Save(folder), ema] if save_first else [ema, Save(folder)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        val_check_interval=4,
        limit_val_batches=1,
    )
    trainer.fit(task, DataLoader(data[2 * start :], batch_size=2), DataLoader(data, batch_size=5), **keys)
    return trainer


def expected(start, trace, decay):
    mean = start
    for step, weight in enumerate(trace, start=1):
        rate = min(decay, (1 + step) / (10 + step))
        mean = rate * mean + (1 - rate) * weight
    return mean


def load(path):
    return torch.load(path, weights_only=True)


def test_the_mean_is_validated_and_kept_and_training_goes_on_with_the_weights(tmp_path):
    plain, task, ema = Task(), Task(), EMA(decay=0.5)
    start = task.one.weight.detach().clone()
    fit(plain, EMA(decay=None), tmp_path)
    fit(task, ema, tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(plain.trace, task.trace, strict=True))
    means = [expected(start, task.trace[:step], 0.5) for step in (4, 8)]
    for seen, mean in zip(task.seen[-2:], means, strict=True):
        torch.testing.assert_close(seen, mean)
    assert torch.equal(load(tmp_path / "best_4.ckpt")["state_dict"]["one.weight"], task.seen[-2])
    torch.testing.assert_close(task.one.weight.detach(), expected(start, task.trace, 0.5))  # after training


@pytest.mark.parametrize("save_first", [False, True])
def test_a_full_checkpoint_holds_the_mean_under_every_tied_name_and_the_weights_beside(tmp_path, save_first):
    task = Task()
    start = task.one.weight.detach().clone()
    fit(task, EMA(decay=0.5), tmp_path, save_first=save_first)
    for step in (3, 4, 5):  # before, with and after a validation
        checkpoint = load(tmp_path / f"{step}.ckpt")
        mean = expected(start, task.trace[:step], 0.5)
        torch.testing.assert_close(checkpoint["state_dict"]["one.weight"], mean)
        torch.testing.assert_close(checkpoint["state_dict"]["two.weight"], mean)
        assert torch.equal(checkpoint["ema"]["current"]["one.weight"], task.trace[step - 1])
        assert set(checkpoint["ema"]["mean"]) == {"one.weight", "one.bias", "two.bias", "norm.weight", "norm.bias"}


@pytest.mark.parametrize("save_first", [False, True])
@pytest.mark.parametrize("step", [3, 4, 5])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, step, save_first):
    whole, resumed, means = Task(), Task(), (EMA(decay=0.9), EMA(decay=0.9))
    fit(whole, means[0], tmp_path, save_first=save_first)
    path = tmp_path / f"{step}.ckpt"
    fit(resumed, means[1], tmp_path, steps=10 - step, start=step, ckpt_path=path, weights_only=True)
    assert torch.equal(whole.trace[-1], resumed.trace[-1])
    assert all(torch.equal(means[0].mean[name], means[1].mean[name]) for name in means[0].mean)
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())


def test_a_run_resumed_without_the_mean_goes_on_from_the_weights(tmp_path):
    whole, resumed = Task(), Task()
    fit(whole, EMA(decay=0.9), tmp_path)
    path = tmp_path / "5.ckpt"
    fit(resumed, EMA(decay=None), tmp_path, steps=5, start=5, ckpt_path=path, weights_only=True)
    assert torch.equal(whole.trace[-1], resumed.trace[-1])


def test_the_mean_of_half_precision_weights_is_kept_in_single_precision(tmp_path):
    task, ema = Task().bfloat16(), EMA(decay=0.999)
    ema.on_train_start(pl.Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path), task)
    assert {mean.dtype for mean in ema.mean.values()} == {torch.float32}


@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_a_senseless_decay_is_refused(decay):
    with pytest.raises(Mistake, match=f"ema.decay={decay}"):
        EMA(decay=decay)
