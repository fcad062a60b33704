"""The tree of words: a prefix code of least length."""

import heapq

import numpy as np
import pytest

from lmlab.head.huffman import huffman


def spelt(paths):
    """Of each word that has a path, its code as text."""
    pieces = np.split(paths.codes, paths.first[1:-1])
    return ["".join(map(str, piece)) for piece in pieces if len(piece)]


def least(counts):
    """The length of the best code over the whole text, by a heap: every joined part costs its count once."""
    heap = [int(count) for count in counts if count]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        cost += joined
        heapq.heappush(heap, joined)
    return cost


@pytest.mark.parametrize("seed", range(5))
def test_codes_are_as_short_as_can_be_and_none_begins_another(seed):
    counts = np.random.default_rng(seed).integers(0, 25, 31) + (np.arange(31) == seed)
    paths = huffman(counts)
    codes = spelt(paths)
    assert len(set(codes)) == (counts > 0).sum()
    assert not [(one, two) for one in codes for two in codes if one != two and two.startswith(one)]
    assert (np.diff(paths.first) * counts).sum() == least(counts)


def test_a_code_is_read_from_the_root_and_a_node_is_left_both_ways():
    paths = huffman(np.array([0, 0, 9, 5, 3, 1, 1]))
    assert np.diff(paths.first).tolist() == [0, 0, 1, 2, 3, 4, 4]
    assert spelt(paths) == ["0", "11", "101", "1001", "1000"]
    assert paths.nodes[paths.first[6] :].tolist() == [0, 1, 2, 3]
    assert {(node, code) for node, code in zip(paths.nodes, paths.codes)} == {(n, c) for n in range(4) for c in (0, 1)}


def test_equal_counts_make_a_balanced_tree_and_the_same_one_each_time():
    counts = np.full(8, 7)
    paths = huffman(counts)
    assert np.diff(paths.first).tolist() == [3] * 8
    for one, two in zip(paths, huffman(counts)):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("counts", "nodes"), [([], 0), ([0, 0], 0), ([0, 4], 0), ([4, 4], 2)])
def test_trees_of_two_words_and_fewer(counts, nodes):
    assert len(huffman(np.array(counts, dtype=np.int64)).nodes) == nodes
