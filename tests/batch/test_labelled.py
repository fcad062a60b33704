"""Labelled rows: what an input looks like, what is cut, and that passes and ranks share a step without a rest."""

import numpy as np
import pytest
import torch

from lmlab.batch.labelled import Labelled, fitted
from lmlab.examples import Rows
from lmlab.types import IGNORE, Mistake

EOS = 9


def rows(texts, labels):
    """Of each example the ids of its texts, and its labels."""
    flat = [np.array(text, np.uint16) for one in texts for text in one]
    return Rows(
        ids=np.concatenate([*flat, np.empty(0, np.uint16)]),
        text_ends=np.cumsum([len(text) for text in flat], dtype=np.int64),
        row_ends=np.cumsum([len(one) for one in texts], dtype=np.int64),
        labels=np.array([label for one in labels for label in one], np.int32),
        label_ends=np.cumsum([len(one) for one in labels], dtype=np.int64),
    )


def made(**values):
    defaults = {"size": 4, "micro_size": None, "max_tokens": None, "seq_len": 12, "eval_size": 3, "num_workers": 0}
    return Labelled(**defaults | {"seed": 0, "eos": EOS, "num_classes": 3, "several": False} | values)


PAIRS = rows([[[1, 2], [3]], [[4], []], [[5, 6, 7], [8]]], [[2], [0], [1]])


def test_texts_stand_between_ends_and_padding_behind():
    batch = made().batch(PAIRS, np.array([0, 1]))
    assert batch.inputs.tolist() == [[9, 1, 2, 9, 3, 9], [9, 4, 9, 9, 0, 0]]
    assert batch.document.tolist() == [[1] * 6, [1, 1, 1, 1, 0, 0]]
    assert batch.targets.tolist() == [2, 0]
    assert batch.place.tolist() == [0, 1]


def test_lengths_are_those_of_the_inputs():
    found = made(seq_len=6).lengths(PAIRS)
    inputs = [made(seq_len=6).batch(PAIRS, np.array([row])).inputs.shape[1] for row in range(3)]
    assert found.tolist() == inputs == [6, 4, 6]


@pytest.mark.parametrize(
    ("sizes", "length", "kept"),
    [([8, 2], 9, [4, 2]), ([5, 5], 9, [3, 3]), ([9], 6, [4]), ([2, 3], 9, [2, 3]), ([9, 0], 6, [3, 0])],
)
def test_the_longer_text_gives_up_its_end(sizes, length, kept):
    texts = [np.arange(size) for size in sizes]
    assert [text.tolist() for text in fitted(texts, length)] == [list(range(size)) for size in kept]


def test_no_room_for_any_text_is_said():
    with pytest.raises(Mistake, match=r"batch\.seq_len=2 has no room for 2 text"):
        fitted([np.arange(3), np.arange(3)], 2)


@pytest.mark.parametrize("micro_size", [1, 2, 4])
@pytest.mark.parametrize("world", [1, 2])
def test_passes_and_ranks_share_a_step_and_know_its_size(micro_size, world):
    if micro_size * world > 4:
        pytest.skip("a step of 4 has no such parts")
    texts = [[[1] * (number % 5 + 1)] for number in range(10)]
    data, batching = rows(texts, [[number % 3] for number in range(10)]), made(micro_size=micro_size)
    for step in range(5):  # the last of an epoch has 2 examples: some passes have none
        whole = made().train(data)[step, 0]
        parts = [
            batching.train(data, rank=rank, world=world)[step, micro]
            for micro in range(batching.share(world=world).num_micro)
            for rank in range(world)
        ]
        found = sorted(int(target) for part in parts for target in part.targets if target != IGNORE)
        assert found == sorted(whole.targets.tolist())
        assert {part.num_targets for part in parts} == {len(whole.targets)}
        assert {part.num_tokens for part in parts} == {int(whole.document.sum())}


def test_evaluation_has_every_example_once():
    data = rows([[[1] * (number % 4)] for number in range(8)], [[0]] * 8)
    batches = [*made().eval(data)]
    assert sorted(torch.cat([batch.place for batch in batches]).tolist()) == list(range(8))
    assert sum(batch.num_targets for batch in batches) == 8


def test_any_number_of_labels_may_hold():
    batch = made(several=True).batch(rows([[[1]], [[2]]], [[0, 2], []]), np.array([0, 1]))
    assert batch.targets.tolist() == [[1, 0, 1], [0, 0, 0]]


def test_a_budget_below_one_text_and_an_empty_split_are_said():
    with pytest.raises(Mistake, match=r"batch\.max_tokens=5 has no room"):
        made(max_tokens=5)
    with pytest.raises(Mistake, match="no example"):
        made().train(rows([], []))
