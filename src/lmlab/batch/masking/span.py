"""Spans of whole words, their number geometric, which share their fate (SpanBERT: Joshi et al. 2020, 3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmlab.batch.masking.chosen import chosen, word_starts
from lmlab.types import Mistake

Array = np.ndarray[Any, np.dtype[Any]]


class Span:
    """Spans that begin at words drawn one after the other, up to the budget of tokens, to which the last is cut.

    Args:
        mean_length: words of a span, on average, before longer ones are cut to `max_length`.
    """

    def __init__(self, *, mean_length: float, max_length: int) -> None:
        if mean_length < 1:
            raise Mistake(
                f"batch.masking.mean_length={mean_length} is too short; set it to the mean number of words of a span, 1 or more"
            )
        self.mean_length, self.max_length = mean_length, max_length

    def __call__(self, budget: Array, is_maskable: Array, begins: Array, order: Array, lengths: Array) -> Array:
        """See Token."""
        start = word_starts(begins)
        word = np.cumsum(np.arange(begins.shape[1]) == start, axis=1) - 1
        first = _by_word(order, word, start)
        can = _by_word(is_maskable, word, start).astype(bool)
        length = self._lengths(_by_word(lengths, word, start))
        key = np.full(first.shape, np.inf)
        source = np.zeros(first.shape, np.int64)
        columns = np.arange(first.shape[1])
        alive = np.ones_like(can)  # no span crosses what cannot be masked
        for back in range(min(self.max_length, first.shape[1])):
            alive[:, back:] &= can[:, : first.shape[1] - back]
            candidate = np.full(first.shape, np.inf)
            candidate[:, back:] = np.where(length > back, first, np.inf)[:, : first.shape[1] - back]
            is_earlier = alive & (columns >= back) & (candidate < key)
            key, source = np.where(is_earlier, candidate, key), np.where(is_earlier, columns - back, source)
        at_place = np.where(is_maskable, np.take_along_axis(key, word, axis=1), np.inf)
        found: Array = np.where(chosen(at_place, start, budget), np.take_along_axis(source, word, axis=1), -1)
        return found

    def _lengths(self, drawn: Array) -> Array:
        """Numbers from 0 to 1 -> words of the span that begins there."""
        if self.mean_length == 1:
            return np.ones(drawn.shape, np.int64)
        found = 1 + np.floor(np.log1p(-drawn) / np.log1p(-1 / self.mean_length))
        lengths: Array = np.minimum(found, self.max_length).astype(np.int64)
        return lengths


def _by_word(values: Array, word: Array, start: Array) -> Array:
    """What stands at the first place of each word, [rows, words], filled up with 0."""
    found = np.zeros(values.shape, np.float64)
    np.put_along_axis(found, word, np.take_along_axis(values, start, axis=1).astype(np.float64), axis=1)
    return found
