"""What reading an example gives: the example and its place, or what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Kind = TypeVar("Kind")
"""A type of example."""


class Fault(Exception):
    """Something that makes one example unreadable, while others may be read."""

    def __init__(self, what: str, change: str, *, is_fatal: bool = False) -> None:
        """`what` follows the place in a sentence, `change` says how it is corrected; fatal: what comes behind is in doubt."""
        super().__init__(what)
        self.what, self.change, self.is_fatal = what, change, is_fatal


@dataclass(frozen=True)
class Found(Generic[Kind]):
    """One example of a file or folder."""

    source: Path
    place: str
    """Within the source: `line 3`, or a file's name."""
    content: Kind | Fault
    group: str = ""
    """Where train is divided: examples of one group come into one split."""
    notes: tuple[str, ...] = ()
    """What was put right, to be counted and reported."""
