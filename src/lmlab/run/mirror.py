"""What shows a run elsewhere than in its folder (W&B, TensorBoard): the contract of every option of `logger=`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a run, new or resumed."""

    folder: Path
    project: str
    name: str
    config: Mapping[str, Any]
    group: str | None = None
    """The sweep that the run is a job of."""
    tags: tuple[str, ...] = ()
    step: int = 0
    """The step of the checkpoint that the run goes on from; 0: a new run."""


@runtime_checkable
class Mirror(Protocol):
    """Shows elsewhere what the run folder holds."""

    def log_metrics(self, metrics: Mapping[str, float | int], step: int) -> None:
        """Figures by name at lmlab's own step."""

    def log_text(self, name: str, text: str, step: int) -> None:
        """A sample of what the model writes."""

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """The final figures; nothing is logged after."""


@runtime_checkable
class MirrorFactory(Protocol):
    """What `conf/logger/*.yaml` builds."""

    def __call__(self, *, start: Start) -> Mirror: ...
