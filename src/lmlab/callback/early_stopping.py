"""Stops when the monitored figure has not improved for `patience` validations (Prechelt 1998)."""

import logging
from typing import Any

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class EarlyStopping(pl.Callback):
    """Its count is in the checkpoint, so a resumed run stops where an undisturbed one would.

    Lightning's own forgets a stop that was decided but not yet carried out when the process was killed.

    Args:
        patience: validations without improvement; None: never stop.
        min_delta: the least change that counts as improvement.
        monitor: the figure; direction: "minimize" or "maximize" it.
    """

    def __init__(self, *, patience: int | None, min_delta: float, monitor: str, direction: str) -> None:
        self.patience, self.min_delta, self.monitor = patience, min_delta, monitor
        self.sign = 1.0 if direction == "minimize" else -1.0
        self.best, self.wait = float("inf"), 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "wait": self.wait}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.wait = state_dict["best"], state_dict["wait"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._stop_if_due(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # Not on_validation_epoch_end: there the figures are still those of the validation before.
        if self.patience is None or trainer.state.fn != "fit" or self.monitor not in trainer.callback_metrics:
            return
        figure = self.sign * float(trainer.callback_metrics[self.monitor])
        improved = figure < self.best - self.min_delta
        self.best, self.wait = (figure, 0) if improved else (self.best, self.wait + 1)
        self._stop_if_due(trainer)

    def _stop_if_due(self, trainer: pl.Trainer) -> None:
        if self.patience is not None and self.wait >= self.patience:
            log.info("%s has not improved for %d validations: stopping early", self.monitor, self.wait)
            trainer.should_stop = True
