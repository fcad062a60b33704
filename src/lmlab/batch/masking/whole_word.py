"""All tokens of a word together, words as likely as any other (whole word masking of BERT's authors, 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmlab.batch.masking.chosen import chosen, word_starts

Array = np.ndarray[Any, np.dtype[Any]]


class WholeWord:
    """Words up to the budget of tokens; each token has a fate of its own."""

    def __call__(self, budget: Array, is_maskable: Array, begins: Array, order: Array, lengths: Array) -> Array:
        """See Token."""
        start = word_starts(begins)
        key = np.where(is_maskable, np.take_along_axis(order, start, axis=1), np.inf)
        found: Array = np.where(chosen(key, start, budget), np.arange(key.shape[1]), -1)
        return found
