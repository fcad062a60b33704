"""Saves where the run stands every n steps, keeps the newest few and the best, and carries the counters through a resume."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from lmlab.types import Failed, Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Checkpoint(pl.Callback):
    """Full checkpoints `step_N.ckpt`, the weights of the best validation `best.ckpt`.

    A step's checkpoint is written after the validation of that step, if it has one, so that a resume repeats none and
    misses none. A signal sets a flag that is read at the step's end, never in the middle of one; Ctrl-C a second time, or
    any signal while no step is under way, stops at once. Several ranks tell each other of it through the module's
    `exchange`, and stop at one step.

    Args:
        every: steps between checkpoints.
        keep: how many of the newest are kept; the one before the newest is there in case the newest is damaged.
        folder: where they go.
        monitor: the figure that decides which is best.
        direction: "minimize" or "maximize" it.
        val_check_interval: steps between validations.
        total_steps: the last step, which always gets a checkpoint; None: open end.
    """

    def __init__(
        self,
        *,
        every: int,
        keep: int,
        folder: Path,
        monitor: str,
        direction: str,
        val_check_interval: int,
        total_steps: int | None,
    ) -> None:
        self.every, self.keep, self.folder = every, keep, folder
        self.monitor, self.direction = monitor, direction
        self.val_check_interval, self.total_steps = val_check_interval, total_steps
        self.best: dict[str, float] = {}
        self._saved_step = -1
        self._signal: int | None = None
        self._is_training = False
        self._handlers: dict[int, Any] = {}

    # Where the run stands.

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # Lightning decides by its totals when to stop and when to validate: they go on where the run stands.
        loop = trainer.fit_loop.epoch_loop
        loop.automatic_optimization.optim_progress.optimizer.step.total.ready = pl_module.step
        loop.automatic_optimization.optim_progress.optimizer.step.total.completed = pl_module.step
        loop.batch_progress.total.ready = pl_module.step * pl_module.num_micro
        loop._batches_that_stepped = pl_module.step
        self._saved_step = pl_module.step if pl_module.step else -1
        self._is_training = True
        self._listen()

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._save(trainer, pl_module.step)
        self._release()
        if trainer.strategy.reduce_boolean_decision(self._signal is not None, all=False):
            self._stop(pl_module.step, self._signal)

    # Signals, in training and in the evaluation after it: Lightning's own handlers, set before, would exit with 0 or 1.

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._listen()

    def on_test_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._listen()

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._release()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._release()

    def _listen(self) -> None:
        if not self._handlers and threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._on_signal) for number in SIGNALS}

    def _release(self) -> None:
        self._is_training = False
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_impatient = number == self._signal == signal.SIGINT
        self._signal = number
        if is_impatient or not self._is_training:
            name = signal.Signals(number).name
            raise Interrupted(f"stopped by {name}: lmlab resume latest goes on from the last checkpoint")

    # When to save.

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.world_size > 1:
            pl_module.exchange.asked = self._signal

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        is_validated = pl_module.step % self.val_check_interval == 0 and any(trainer.num_val_batches)
        if not pl_module.micro and not is_validated:
            self._at_step_end(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.state.fn != "fit":
            self._release()
        elif not trainer.sanity_checking:
            self._remember_best(trainer, pl_module.step)
            self._at_step_end(trainer, pl_module)

    def _at_step_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        step, asked = pl_module.step, pl_module.exchange.agreed if trainer.world_size > 1 else self._signal
        if step % self.every == 0 or step == self.total_steps or asked:
            self._save(trainer, step)
        if asked:
            self._stop(step, asked)

    def _stop(self, step: int, asked: int | None) -> None:
        name = "a signal to another rank" if asked is None else signal.Signals(asked).name
        saved = "the checkpoint is saved: lmlab resume latest goes on"
        if not self._path(step).exists():
            saved = "this strategy saves no checkpoint to go on from: started again, the run begins at its start"
        raise Interrupted(f"stopped by {name} after step {step}; {saved}")

    def _remember_best(self, trainer: pl.Trainer, step: int) -> None:
        value = trainer.callback_metrics.get(self.monitor)
        if value is None:
            known = ", ".join(sorted(trainer.callback_metrics)) or "none"
            raise Failed(f"monitor={self.monitor} is not measured; measured are: {known}")
        sign = 1.0 if self.direction == "minimize" else -1.0
        figure = float(value)
        if figure == figure and (not self.best or sign * figure < sign * self.best["value"]):
            self.best = {"value": figure, "step": step}
            self._write(trainer, self.folder / "best.ckpt", weights_only=True)

    # How.

    def _save(self, trainer: pl.Trainer, step: int) -> None:
        if step == self._saved_step or step == 0:
            return
        self._write(trainer, self._path(step), weights_only=False)
        self._saved_step = step
        if not trainer.is_global_zero:
            return
        for old in sorted(self.folder.glob("step_*.ckpt"), reverse=True)[max(1, self.keep) :]:
            old.unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return self.folder / f"step_{step:08d}.ckpt"

    def _write(self, trainer: pl.Trainer, path: Path, *, weights_only: bool) -> None:
        try:
            trainer.save_checkpoint(path, weights_only=weights_only)
        except OSError as error:
            raise Interrupted(
                f"cannot save a checkpoint ({error}); the last good one is kept: free some space or set output_dir to a "
                "roomier disk, then lmlab resume latest"
            ) from error
