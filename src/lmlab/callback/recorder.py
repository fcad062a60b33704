"""Writes the figures of training against lmlab's own step: to metrics.jsonl first, then to every logger."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

Sink = Callable[[int, float, Mapping[str, float]], None]
"""(step, seconds of training, figures)."""


class Recorder(pl.Callback):
    """A line every `log_every` steps with the mean losses since the line before, and one for every validation.

    The losses are the step's own, `pl_module.latest["loss"]`, and auxiliary ones, which stand there as `train/NAME`.

    The sums under way and the clock are in the checkpoint, so that a resumed run writes the lines an undisturbed one would.

    Args:
        sink: takes the lines.
        log_every: steps between them.
    """

    def __init__(self, *, sink: Sink, log_every: int) -> None:
        self.sink, self.log_every = sink, log_every
        self.total: Tensor | float = 0.0
        self.auxiliary: dict[str, Tensor | float] = {}
        self.count, self.seconds = 0, 0.0
        self._tokens, self._since, self._paused = 0, 0.0, 0.0

    def state_dict(self) -> dict[str, Any]:
        auxiliary = {name: float(total) for name, total in self.auxiliary.items()}
        return {"total": float(self.total), "auxiliary": auxiliary, "count": self.count, "seconds": self._now()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total, self.count, self.seconds = state_dict["total"], state_dict["count"], state_dict["seconds"]
        self.auxiliary = dict(state_dict.get("auxiliary", {}))  # older checkpoints have none

    def _now(self) -> float:
        """Seconds of training, of this process and those before it."""
        return self.seconds + (time.perf_counter() - self._start if self._since else 0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._start = self._since = time.perf_counter()
        self._tokens, self._paused = pl_module.tokens, 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if pl_module.micro:
            return
        self.total = self.total + pl_module.latest["loss"]
        for name, loss in pl_module.latest.items():
            if name.startswith("train/"):
                self.auxiliary[name] = self.auxiliary.get(name, 0.0) + loss
        self.count += 1
        if pl_module.step % self.log_every == 0:
            self._line(pl_module)

    def _line(self, module: Any) -> None:
        now = time.perf_counter()
        figures = {
            "train/loss": float(self.total) / self.count,
            **{name: float(total) / self.count for name, total in self.auxiliary.items()},
            "lr": max(group["lr"] for group in module.optimizers().param_groups),
            "tokens": module.tokens,
            "tokens_per_second": (module.tokens - self._tokens) / max(now - self._since - self._paused, 1e-9),
        }
        if "grad_norm" in module.latest:
            figures["grad_norm"] = float(module.latest["grad_norm"])
        module.latest["tokens_per_second"] = figures["tokens_per_second"]
        self.sink(module.step, self._now(), figures)
        self.total, self.auxiliary, self.count = 0.0, {}, 0
        self._tokens, self._since, self._paused = module.tokens, now, 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._validation_start = time.perf_counter()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # The module's own hook runs after the callbacks': its figures are taken in on_validation_end.
        self._paused += time.perf_counter() - self._validation_start

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            found = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
            figures = {
                name: float(pl_module.latest.get(name, value)) for name, value in found.items()
            }  # Lightning rounds
            self.sink(pl_module.step, self._now(), figures)
