"""Documents as batches: every token a target once, long ones cut, none seeing another; packed or each in a row."""

import numpy as np
import pytest
import torch

from lmlab.batch import documents as module
from lmlab.batch.documents import Documents
from lmlab.types import IGNORE, Mistake

EOS = 0
TEXT = np.array([3, 4, EOS, 5, EOS, EOS, 6, 7, 8, 9, 1, 2, EOS, 4, 4], np.uint16)
LONG = np.concatenate([[*range(1, size), EOS] for size in np.random.default_rng(0).integers(1, 30, size=200)])


def made(*, seq_len=5, packing=True, **values):
    sizes = {"size": 2, "micro_size": None, "max_tokens": None, "eval_size": 3, "num_workers": 0, "seed": 0, "eos": EOS}
    return Documents(**{**sizes, **values}, seq_len=seq_len, packing=packing)


def epoch(batching, tokens, number=0, **of):
    steps, size = batching.train(tokens, **of), batching.steps_per_epoch(tokens)
    return [steps[number * size + step, 0] for step in range(size)]


def parts(batch):
    """(inputs, targets) of each document of a batch."""
    return [
        (ids[own == number].tolist(), wanted[own == number].tolist())
        for ids, wanted, own in zip(batch.inputs, batch.targets, batch.document)
        for number in own.unique().tolist()
        if number
    ]


WANTED = [
    ([EOS, 3, 4], [3, 4, EOS]),
    ([EOS, 5], [5, EOS]),
    ([EOS], [EOS]),
    ([EOS, 6, 7, 8, 9], [6, 7, 8, 9, 1]),
    ([1, 2], [2, EOS]),
    ([EOS, 4], [4, 4]),
]


@pytest.mark.parametrize("packing", [True, False])
def test_each_document_begins_behind_an_end_and_a_long_one_goes_on_in_another_part(packing):
    batches = epoch(made(packing=packing), TEXT)
    assert sorted(part for batch in batches for part in parts(batch)) == sorted(WANTED)
    assert [batch.num_targets for batch in batches] == [int((batch.targets != IGNORE).sum()) for batch in batches]
    assert [batch.num_tokens for batch in batches] == [batch.num_targets for batch in batches]
    assert all(batch.place is None for batch in batches)


@pytest.mark.parametrize("packing", [True, False])
def test_every_token_is_a_target_once_per_epoch_over_all_ranks(packing):
    batching = made(seq_len=16, size=4, packing=packing)
    for number in range(2):
        ranks = [epoch(batching, LONG, number, rank=rank, world=2) for rank in range(2)]
        whole = epoch(batching, LONG, number)
        for one, *shares in zip(whole, *ranks):
            assert sorted(parts(one)) == sorted(
                part for share in shares for part in parts(share) if part[1] != [IGNORE]
            )
            assert {share.num_targets for share in shares} == {one.num_targets}
        seen = np.concatenate([batch.targets[batch.targets != IGNORE].numpy() for batch in whole])
        assert sorted(seen.tolist()) == sorted(LONG.tolist())


def test_packed_rows_are_full():
    batching = made(seq_len=32, size=4)
    rows, packed, alone = batching.fullness(LONG)
    assert rows == sum(len(batch.inputs) for batch in epoch(batching, LONG))
    assert packed > 0.95  # lines that are all longer than half a row leave room that nothing fills
    assert alone < packed
    assert packed == pytest.approx(len(LONG) / (32 * rows))


@pytest.mark.parametrize("packing", [True, False])
def test_evaluation_has_every_token_at_its_place_one_document_a_row(packing):
    batches = made(packing=packing).eval(TEXT)
    places = np.concatenate([batch.place[batch.targets != IGNORE].numpy() for batch in batches])
    targets = np.concatenate([batch.targets[batch.targets != IGNORE].numpy() for batch in batches])
    assert sorted(places.tolist()) == list(range(len(TEXT)))
    assert targets.tolist() == TEXT[places].tolist()
    assert all(batch.document.max() == 1 for batch in batches)


def test_ends_are_found_whatever_is_searched_at_a_time(monkeypatch):
    whole = made().items(TEXT)
    monkeypatch.setattr(module, "TOGETHER", 2)
    assert made().items(TEXT).starts.tolist() == whole.starts.tolist() == [0, 3, 5, 6, 11, 13]
    assert len(made().items(TEXT[:0])) == 0


def test_a_budget_of_tokens_is_one_of_rows():
    steps = made(seq_len=16, size=4, max_tokens=40).train(LONG)
    assert {len(steps[step, 0].inputs) for step in range(len(steps.plan) - 1)} == {2}
    with pytest.raises(Mistake, match=r"batch\.max_tokens=5 has no room"):
        made(seq_len=16, max_tokens=5)


def test_the_longest_batch_is_a_full_row():
    batch, length = made(seq_len=16).longest(LONG, 3)
    assert batch.inputs.shape == (3, 16)
    assert length == 16
    assert torch.equal(batch.document[0], batch.document[2])
    batch, length = made(seq_len=40, packing=False).longest(LONG, 2)
    assert batch.inputs.shape == (2, 29)
    assert length == 29
