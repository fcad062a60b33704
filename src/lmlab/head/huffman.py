"""The binary tree in which words of frequent use stand near the root (Huffman 1952), as Mikolov et al. (2013b, 2.1) use it."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Int, UInt8


class Paths(NamedTuple):
    """From the root to each word: one after another, those of word i at `first[i] : first[i + 1]`; words never seen have none."""

    first: Int[np.ndarray, "ends"]
    nodes: Int[np.ndarray, "step"]
    """Inner nodes, numbered from the root, 0, in the order in which they were joined, the last first."""
    codes: UInt8[np.ndarray, "step"]
    """Which way each of them is left: 1 towards the part that counts more."""


def huffman(counts: Int[np.ndarray, "vocab"]) -> Paths:
    """Paths of least length over the text; equal counts: the word of higher id is joined first, and parts before
    words, as word2vec does."""
    seen = np.flatnonzero(counts > 0)
    leaves = seen[np.lexsort((-seen, counts[seen]))]
    parent, code = _joined(counts[leaves].astype(np.int64))
    length = np.zeros(len(counts), dtype=np.int64)
    length[leaves] = _depths(parent)[: len(leaves)]
    first = np.concatenate(([0], np.cumsum(length)))
    nodes, codes = np.empty(first[-1], dtype=np.int32), np.empty(first[-1], dtype=np.uint8)
    _walk(leaves, first, parent, code, nodes, codes)
    return Paths(first, nodes, codes)


@numba.njit(cache=True, nogil=True)
@no_type_check
def _joined(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of leaves by rising count, then of the parts that two are joined to: the part above and the way down from it.

    Parts arise by rising count as well, so the least two stand at the heads of two queues (van Leeuwen 1976).
    """
    leaves = len(counts)
    nodes = max(2 * leaves - 1, 0)
    sums, parent, code = np.empty(nodes, np.int64), np.full(nodes, -1, np.int64), np.zeros(nodes, np.uint8)
    sums[:leaves] = counts
    leaf, part = 0, leaves
    for made in range(leaves, nodes):
        total = 0
        for way in range(2):
            if part == made or (leaf < leaves and sums[leaf] < sums[part]):
                least = leaf
                leaf += 1
            else:
                least = part
                part += 1
            parent[least], code[least] = made, way
            total += sums[least]
        sums[made] = total
    return parent, code


@numba.njit(cache=True, nogil=True)
@no_type_check
def _depths(parent: np.ndarray) -> np.ndarray:
    depths = np.zeros(len(parent), np.int64)
    for node in range(len(parent) - 2, -1, -1):  # a part stands behind what it is made of
        depths[node] = depths[parent[node]] + 1
    return depths


@numba.njit(cache=True, nogil=True)
@no_type_check
def _walk(
    leaves: np.ndarray, first: np.ndarray, parent: np.ndarray, code: np.ndarray, nodes: np.ndarray, codes: np.ndarray
) -> None:
    root = len(parent) - 1
    for number, word in enumerate(leaves):
        node = number
        for place in range(first[word + 1] - 1, first[word] - 1, -1):
            codes[place] = code[node]
            node = parent[node]
            nodes[place] = root - node
