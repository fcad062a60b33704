"""Faulty examples: the first one stops the reading, or all are left out, counted and reported."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from lmlab.data.found import Fault
from lmlab.types import Mistake

log = logging.getLogger(__name__)

NAMED = 3
"""So many of the examples of a file that were left out are told."""


class LeftOut:
    """What was wrong in every file or folder, with its place; without `skip` anything wrong is a Mistake."""

    def __init__(self, *, skip: bool) -> None:
        self._skip = skip
        self._faults: dict[Path, list[str]] = {}

    def add(self, source: Path, place: str, fault: Fault) -> None:
        """Leave an example out, or stop."""
        if not self._skip or fault.is_fatal:
            rest = "" if fault.is_fatal else ", or set data.on_error=skip to leave such examples out"
            raise Mistake(f"{source}, {place} {fault.what}; {fault.change}{rest}")
        self._faults.setdefault(source, []).append(f"{place} {fault.what}")

    def report(self) -> None:
        """Warn of what was left out."""
        for source, faults in self._faults.items():
            were = "example was" if len(faults) == 1 else "examples were"
            log.warning("%d %s left out of %s: %s", len(faults), were, source, _summary(faults))

    def spoken(self) -> str:
        """Of all files in one line; empty where nothing was left out."""
        return "; ".join(f"{source}: {_summary(faults)}" for source, faults in self._faults.items())

    def check_train(self, there: Collection[str], fractions: Mapping[str, int | float]) -> None:
        """Refuse splits of which train has no example."""
        if "train" not in there:
            if spoken := self.spoken():
                raise Mistake(
                    f"no training example is left; left out of {spoken}; give more, or set data.on_error=strict to see what is "
                    "wrong"
                )
            raise Mistake(
                f"data.split={dict(fractions)} leaves no example for training; give more, or set smaller fractions"
            )

    def check_rest(self, there: Collection[str], wanted: Collection[str], fractions: Mapping[str, int | float]) -> None:
        """Refuse splits of which another that is wanted has no example."""
        for split in sorted({*wanted} - {*there}):
            if split in fractions:
                raise Mistake(
                    f"data.split.{split}={fractions[split]} leaves no example for {split}; "
                    f"give more examples, or set a larger data.split.{split}"
                )
            raise Mistake(f"no example of {split} is left ({self.spoken()}); correct them, or set data.on_error=strict")


def _summary(faults: list[str]) -> str:
    more = f", and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    return ", ".join(faults[:NAMED]) + more
