"""What a report reads of a sweep: its jobs, what varies between them, and the figures that they ended with."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lmlab.report.record import Record, flat

STATES = ("done", "running", "queued", "failed", "pruned")
"""In the order in which they are listed."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep, as its table and pages know it."""

    number: int
    varied: Mapping[str, Any]
    """Dotted config key (or group name such as `model`, `model/attention`) -> value; what varies, without seed."""
    seed: int | None
    """The replicate."""
    state: str
    """queued, running, done, failed, pruned."""
    run: Record | None
    """The run folder; None before it started."""
    derived: Mapping[str, float] = field(default_factory=dict)
    """Figures that it takes other jobs to know."""

    @cached_property
    def figures(self) -> Mapping[str, float | int]:
        """The numbers of the run's summary; read once, since a table asks for them again and again."""
        if self.run is None:
            return {}
        numbers = {**flat(self.run.summary), **self.derived}.items()
        return {key: value for key, value in numbers if isinstance(value, (int, float)) and not isinstance(value, bool)}

    def label(self, keys: Iterable[str]) -> tuple[str, ...]:
        """The values of these keys, as the user writes them."""
        return tuple(written(self.varied[key]) if key in self.varied else "" for key in keys)


def written(value: Any) -> str:
    """A value as it stands on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value).replace("\n", "\\n")  # one line, in every format


def brief(text: str) -> str:
    """For a reader: of a number that a search drew, with its 17 digits, four; anything else as it is."""
    return f"{float(text):.4g}" if re.fullmatch(r"-?\d*\.\d+(e[+-]?\d+)?", text) and len(text) > 9 else text


def varied_keys(jobs: Sequence[Job]) -> list[str]:
    """All keys that vary, in the order in which the jobs name them."""
    return list(dict.fromkeys(key for job in ordered(jobs) for key in job.varied))


def ordered(jobs: Iterable[Job]) -> list[Job]:
    """By number, so that no table depends on the order in which jobs were read."""
    return sorted(jobs, key=lambda job: job.number)


def counted(jobs: Iterable[Job]) -> dict[str, int]:
    """How many jobs are in each state that occurs."""
    states = [job.state for job in jobs]
    known = [*STATES, *sorted(set(states) - set(STATES))]
    return {state: states.count(state) for state in known if state in states}
