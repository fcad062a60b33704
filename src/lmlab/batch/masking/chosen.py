"""Whole words in the order of their keys, up to a budget of tokens: what the ways of masking share."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def word_starts(begins: Array) -> Array:
    """Where the word of each place begins, [rows, time]; a row's first place always does."""
    places = np.broadcast_to(np.arange(begins.shape[1]), begins.shape)
    found: Array = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    return found


def chosen(key: Array, start: Array, budget: Array) -> Array:
    """Which places are in the words of least key: the last word is in or out, whichever is nearer to the budget [rows].

    `key`: of each place, inf where it cannot be chosen; `start`: where its word begins. Of equal keys the left ones come first.
    """
    order = np.argsort(key, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(key.shape[1]), key.shape), axis=1)
    first = np.take_along_axis(rank, start, axis=1)
    same = np.zeros_like(start)
    np.add.at(same, (np.arange(len(start))[:, None], start), 1)
    size = np.take_along_axis(same, start, axis=1)
    found: Array = np.isfinite(key) & (2 * first + size <= 2 * budget[:, None])
    return found
