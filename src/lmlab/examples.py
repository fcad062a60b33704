"""Examples: what a data source yields, one type for each kind of thing that tasks are about.

Each type gives its `texts`, so that a tokenizer can be trained on the examples of any source.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Labelled:
    """A text, or a pair of texts, and what it was labelled with."""

    texts: tuple[str, ...]
    """One, or the two of a pair."""
    labels: tuple[str, ...]
    """One; where several may hold at once, any number."""
