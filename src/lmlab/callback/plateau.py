"""Tells the plateau schedule what each validation measured, and carries its state through a resume."""

from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl


@runtime_checkable
class Observing(Protocol):
    """A schedule that depends on what is measured."""

    def observe(self, value: float) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Observe(pl.Callback):
    """Hands the monitored figure to the schedule after each validation; a figure to be maximised with its sign turned."""

    def __init__(self, schedule: Observing, *, monitor: str, direction: str) -> None:
        self.schedule, self.monitor = schedule, monitor
        self.sign = 1.0 if direction == "minimize" else -1.0

    def state_dict(self) -> dict[str, Any]:
        return self.schedule.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.schedule.load_state_dict(state_dict)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.state.fn == "fit" and self.monitor in trainer.callback_metrics:
            self.schedule.observe(self.sign * float(trainer.callback_metrics[self.monitor]))
