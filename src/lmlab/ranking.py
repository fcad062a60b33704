"""Where what belongs to a query stands when candidates are ordered by score: recall at k, and the median place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

AT = (1, 5, 10)
"""Places among which something right counts (as in Karpathy and Fei-Fei 2015, table 1)."""

DIRECTIONS = ("image_to_text", "text_to_image")


def ranks(scores: Array, belongs: Array) -> Array:
    """Of each query the place, from 1, of the best candidate that belongs to it; one that does not goes before its equals.

    Args:
        scores: [query, candidates].
        belongs: booleans [query, candidates], at least one of each query.
    """
    best = np.where(belongs, scores, -np.inf).max(axis=1, keepdims=True)
    found: Array = 1 + ((scores >= best) & ~belongs).sum(axis=1)
    return found


def figures(scores: Array, belongs: Array) -> dict[str, float]:
    """Recall at k and the median rank in both directions, and the mean of all recalls, of scores [image, caption]."""
    found: dict[str, float] = {}
    for name, one, other in zip(DIRECTIONS, (scores, scores.T), (belongs, belongs.T)):
        places = ranks(one, other)
        found |= {f"{name}_recall@{k}": float((places <= k).mean()) for k in AT}
        found[f"{name}_rank"] = float(np.median(places))
    return with_mean(found)


def chance(belongs: Array) -> dict[str, float]:
    """The recalls that are to be expected of candidates in a random order: 1 - C(n - r, k) / C(n, k) for r right of n."""
    found: dict[str, float] = {}
    for name, one in zip(DIRECTIONS, (belongs, belongs.T)):
        total, right = one.shape[1], one.sum(axis=1).tolist()
        for k in AT:
            missed = [math.comb(total - number, min(k, total)) / math.comb(total, min(k, total)) for number in right]
            found[f"{name}_recall@{k}"] = 1 - sum(missed) / len(missed)
    return with_mean(found)


def with_mean(found: dict[str, float]) -> dict[str, float]:
    """The mean of all recalls beside them."""
    recalls = [value for name, value in found.items() if "recall@" in name]
    return {"recall": sum(recalls) / len(recalls), **found}
