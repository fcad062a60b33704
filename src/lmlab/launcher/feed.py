"""Where a sweep's jobs come from: all at once, or proposed one after another by a search (see `search`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from lmlab.launcher.table import Row


@runtime_checkable
class Feed(Protocol):
    """Where further jobs come from."""

    def more(self, wanted: int) -> None:
        """Adds jobs to the table, if there are any to add, because `wanted` slots are free."""

    def is_hopeless(self, row: Row, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a running job is to be stopped, after new lines of its metrics."""

    def ended(self, row: Row) -> None:
        """A job is done, failed or pruned."""

    @property
    def total(self) -> int | None:
        """How many jobs there will be; None: those in the table."""


class Fixed:
    """All jobs are in the table from the start, and each is trained to its end."""

    total = None

    def more(self, wanted: int) -> None:
        """There are none."""

    def is_hopeless(self, row: Row, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Never."""
        return False

    def ended(self, row: Row) -> None:
        """Nothing follows from it."""
