"""What was taken for what over a split: kept by metrics of classes, for tables and pages."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

MOST_CLASSES = 2_000
"""With more, a table of all pairs would be larger than what it tells."""


@runtime_checkable
class Confused(Protocol):
    """A metric that keeps what the last evaluation, of all ranks together, took for what."""

    last_confusion: Any
    """Whole numbers [class, class], rows are the truth; of several labels [class, 2, 2], not there and there. None: too many
    classes, or nothing was evaluated."""
