"""Words drawn as noise: an alias table (Walker 1977) and numbers that follow from a counter (Salmon et al. 2011)."""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

jit = numba.njit(cache=True, fastmath=True, nogil=True)


@jit
@no_type_check
def draw(share, alias, random):
    """An index: the upper half of the random number says the slot, its lower half which of the slot's two."""
    slot = ((random >> np.uint64(32)) * np.uint64(len(share))) >> np.uint64(32)
    other = alias[slot]  # read in any case: a branch on a random number cannot be foreseen
    return np.int32(slot) if (random & np.uint64(0xFFFFFFFF)) < share[slot] else other


@jit
@no_type_check
def mixed(seed, counter):
    """A random number that follows from the two (SplitMix64: Steele et al. 2014)."""
    z = (seed * np.uint64(0xD1342543DE82EF95)) ^ (counter * np.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
@no_type_check
def alias_table(weights):
    """Tables `share` and `alias`, of which `draw` makes an index with chance in proportion to its weight (Vose 1991).

    Slot s stands for s up to `share[s]` parts of 2^32, else for `alias[s]`: each slot poorer than the mean is filled up by a
    richer one.
    """
    num = len(weights)
    chance = weights * (num / weights.sum())
    alias = np.arange(num).astype(np.int32)
    poor, rich = np.flatnonzero(chance < 1), np.flatnonzero(chance >= 1)
    stack, top = np.zeros(num, np.int64), len(poor)
    stack[:top] = poor
    giver = 0
    while top > 0 and giver < len(rich):
        top -= 1
        slot, other = stack[top], rich[giver]
        alias[slot] = other
        chance[other] -= 1 - chance[slot]
        if chance[other] < 1:
            stack[top] = other
            top += 1
            giver += 1
    share = np.minimum(chance * 2.0**32, 2.0**32 - 1).astype(np.uint32)
    return share, alias
