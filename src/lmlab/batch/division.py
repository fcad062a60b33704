"""Into which examples a split falls: its documents or, where these are few, blocks of its tokens; the same for every run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Integer

FEWEST_DOCUMENTS = 100
"""Of fewer a bootstrap would draw too few different samples."""

MOST_BLOCKS = 1_000

SHORTEST_BLOCK = 32
"""Tokens: losses of neighbouring tokens go together, and a test takes examples to be independent."""


@dataclass(frozen=True)
class Division:
    """What an example is, in the plural, and the place after the last token of each, ascending."""

    kind: str
    ends: Int[np.ndarray, "examples"]


def division(tokens: Integer[np.ndarray, "time"], *, eos: int, num_documents: int) -> Division:
    """It follows from the tokens alone, so that the examples of any model, batch and seed pair."""
    ends = np.flatnonzero(np.asarray(tokens) == eos) + 1
    if len(ends) == num_documents >= FEWEST_DOCUMENTS:  # some tokenizers end every line with <eos>
        return Division("documents", ends)
    size = max(SHORTEST_BLOCK, -(-len(tokens) // MOST_BLOCKS))
    return Division(f"blocks of {size} tokens", np.append(np.arange(size, len(tokens), size), len(tokens)))
