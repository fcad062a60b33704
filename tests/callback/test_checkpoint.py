"""When a checkpoint is written, what is kept, and how a signal ends a run; with a real Trainer on a module of one weight."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lmlab.callback.checkpoint import Checkpoint
from lmlab.run import checkpoint as files
from lmlab.types import Failed, Interrupted


class Module(pl.LightningModule):
    """Counts its steps as lmlab's task does."""

    def __init__(self, figures: list[float], num_micro: int = 1) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.figures, self.num_micro, self.step, self.micro = figures, num_micro, 0, 0

    def training_step(self, batch: Any, index: int) -> Any:
        self.micro += 1
        return (self.weight * batch.mean()).sum()

    def optimizer_step(self, *arguments: Any) -> None:
        super().optimizer_step(*arguments)
        self.step, self.micro = self.step + 1, 0

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val/loss", self.figures[min(self.step // 2, len(self.figures)) - 1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["lmlab"] = {"step": self.step}


class At(pl.Callback):
    """Does something after a step."""

    def __init__(self, step: int, act: Any, hook: str = "on_train_batch_end") -> None:
        setattr(self, hook, lambda trainer, module, *rest: act() if module.step == step else None)


def train(folder: Path, *, figures=(3.0, 2.0, 1.0), before=(), num_micro=1, has_val=True, **changes: Any):
    """Seven steps, validated after every second."""
    given = {"every": 3, "keep": 2, "monitor": "val/loss", "direction": "minimize", "val_check_interval": 2}
    callback = Checkpoint(folder=folder, **{**given, "total_steps": 7, **changes})
    trainer = pl.Trainer(
        max_steps=7,
        callbacks=[*before, callback],
        plugins=[files.DurableCheckpointIO()],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        val_check_interval=given["val_check_interval"] * num_micro,
        check_val_every_n_epoch=None,
        accumulate_grad_batches=num_micro,
        default_root_dir=folder,
        max_epochs=-1,
    )
    batches = DataLoader(torch.rand(7 * num_micro, 1))
    module = Module(list(figures), num_micro)
    trainer.fit(module, batches, DataLoader(torch.rand(2, 1)) if has_val else [])
    return callback


def steps(folder: Path) -> list[int]:
    return [files.step_of(path) for path in files.saved_steps(folder)]


def test_the_newest_are_kept_and_the_last_step_is_one_of_them(tmp_path):
    train(tmp_path)
    assert steps(tmp_path) == [7, 6]


def test_steps_are_counted_not_passes(tmp_path):
    train(tmp_path, num_micro=3, keep=9)
    assert steps(tmp_path) == [7, 6, 3]


def test_a_step_with_a_validation_is_saved_after_it(tmp_path):
    callback = train(tmp_path, every=2, keep=9)
    assert steps(tmp_path) == [7, 6, 4, 2]
    saved = files.load(files.path_of(tmp_path, 4))["callbacks"]
    (state,) = [state for name, state in saved.items() if "Checkpoint" in name]
    assert state["best"] == {"value": 2.0, "step": 4}
    assert callback.best == {"value": 1.0, "step": 6}


def test_without_validation_data_nothing_is_left_out(tmp_path):
    # Steps 2, 4 and 6 would be saved after their validation, and there is none.
    train(tmp_path, every=2, keep=9, has_val=False)
    assert steps(tmp_path) == [7, 6, 4, 2]


@pytest.mark.parametrize(
    ("direction", "figures", "best"),
    [("minimize", (3, 1, 2), 4), ("maximize", (3, 1, 2), 2), ("minimize", (float("nan"), 1, 1), 4)],
)
def test_the_best_is_the_first_with_the_best_figure(tmp_path, direction, figures, best):
    train(tmp_path, figures=figures, direction=direction)
    assert files.load(tmp_path / "best.ckpt")["lmlab"]["step"] == best
    assert "optimizer_states" not in files.load(tmp_path / "best.ckpt")


def test_a_monitor_that_is_not_measured_names_those_that_are(tmp_path):
    with pytest.raises(Failed, match="monitor=val/bits is not measured; measured are: val/loss"):
        train(tmp_path, monitor="val/bits")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"])
@pytest.mark.parametrize("step", [4, 5])
def test_a_signal_ends_the_run_after_its_step(tmp_path, name, step):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    stop = At(step, lambda: os.kill(os.getpid(), getattr(signal, name)))
    with pytest.raises(Interrupted, match=f"stopped by {name} after step {step}; the checkpoint is saved"):
        train(tmp_path, before=[stop])
    assert steps(tmp_path) == [step, 3]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == handlers


def test_a_strategy_that_writes_nothing_to_go_on_from_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files.DurableCheckpointIO, "save_checkpoint", lambda *arguments, **keys: None)
    stop = At(4, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(
        Interrupted, match="saves no checkpoint to go on from: started again, the run begins at its start"
    ):
        train(tmp_path, before=[stop])


def test_a_signal_during_validation_is_heard_after_it(tmp_path):
    stop = At(4, lambda: os.kill(os.getpid(), signal.SIGTERM), "on_validation_batch_end")
    with pytest.raises(Interrupted, match="after step 4"):
        train(tmp_path, before=[stop])
    assert steps(tmp_path)[0] == 4
    assert (tmp_path / "best.ckpt").exists()


def test_ctrl_c_twice_stops_at_once(tmp_path):
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="stopped by SIGINT: lmlab resume latest goes on from the last checkpoint"):
        train(tmp_path, before=[At(5, twice)])
    assert steps(tmp_path) == [3]


def test_a_save_that_fails_keeps_the_last_good_one_and_says_what_to_do(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    act = At(5, lambda: monkeypatch.setattr(files.os, "fsync", full))
    with pytest.raises(Interrupted, match=r"No space left.*the last good one is kept.*output_dir"):
        train(tmp_path, before=[act])
    monkeypatch.undo()
    assert files.newest(tmp_path)[1]["lmlab"]["step"] == 3
    assert not list(tmp_path.glob("*.tmp-*"))


def test_evaluation_after_training_writes_nothing(tmp_path):
    callback = train(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    callback._saved_step = -1  # as in a process that found the run at its last step
    trainer = pl.Trainer(
        callbacks=[callback], accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, default_root_dir=tmp_path,
    )  # fmt: skip
    module = Module([0.5])
    module.step = 6
    trainer.validate(module, DataLoader(torch.rand(2, 1)), verbose=False)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
