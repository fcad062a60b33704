"""Rows of several examples: full, each example once per epoch, the same whoever asks; and what stands in them."""

import numpy as np
import pytest
import torch

from lmlab.batch.packs import Packs, first_fit, packed
from lmlab.types import IGNORE, Batch

LENGTHS = np.random.default_rng(0).integers(1, 65, size=503)


def of(sizes, **values):
    return Packs(np.asarray(sizes).reshape(len(sizes), -1), **{"room": 64, "size": 7, "seed": 3, **values})


def test_each_example_takes_the_first_row_that_has_room():
    assert first_fit(np.array([[7], [6], [4], [3], [3], [1], [8]]), 10).tolist() == [0, 1, 1, 0, 2, 2, 3]
    assert first_fit(np.array([[5, 2], [5, 9], [2, 2], [4, 2]]), 10).tolist() == [0, 1, 0, 2]
    assert first_fit(np.empty((0, 1), int), 10).tolist() == []


def test_a_tree_finds_what_a_search_from_row_to_row_finds():
    sizes = np.random.default_rng(1).integers(1, 40, size=(200, 2))
    rows, found = [], []
    for size in sizes:
        row = next((number for number, left in enumerate(rows) if (left >= size).all()), len(rows))
        rows += [np.array([50, 50])] if row == len(rows) else []
        rows[row] = rows[row] - size
        found.append(row)
    assert first_fit(sizes, 50).tolist() == found


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_epoch_has_every_example_once_and_no_row_is_too_long(size):
    made = of(LENGTHS, size=size)
    for epoch in range(3):
        batches = [made[epoch * len(made) + number] for number in range(len(made))]
        rows = [row for batch in batches for row in batch]
        assert len(rows) == made.num_rows
        assert sorted(np.concatenate(rows).tolist()) == list(range(503))
        assert max(LENGTHS[row].sum() for row in rows) <= 64
        assert all(1 <= len(batch) <= size for batch in batches)


def test_rows_are_nearly_full():
    assert of(LENGTHS).fullness > 0.94
    assert of(LENGTHS).fullness == pytest.approx(LENGTHS.sum() / (64 * of(LENGTHS).num_rows))
    assert of([64, 64]).fullness == 1
    assert of(np.stack([LENGTHS, LENGTHS[::-1]], axis=1)).fullness > 0.8


def test_a_step_follows_from_seed_and_step_alone_and_epochs_differ():
    one, other = of(LENGTHS), of(LENGTHS)
    steps = [[row.tolist() for row in one[step]] for step in range(2 * len(one))]
    assert steps == [[row.tolist() for row in other[step]] for step in reversed(range(2 * len(one)))][::-1]
    assert steps[: len(one)] != steps[len(one) :]
    assert {tuple(row) for rows in steps[: len(one)] for row in rows} != {
        tuple(row) for rows in steps[len(one) :] for row in rows
    }
    assert [row.tolist() for row in of(LENGTHS, seed=4)[0]] != steps[0]


def batch(*lengths):
    """Examples 1, 2, ... one a row, with a source of one token more."""
    width = max(lengths)
    is_real = torch.arange(width) < torch.tensor(lengths)[:, None]
    ids = torch.arange(1, len(lengths) + 1)[:, None] * 10 + torch.arange(width)
    has_source = torch.arange(width + 1) < torch.tensor(lengths)[:, None] + 1
    source = torch.where(has_source, torch.arange(1, len(lengths) + 1)[:, None] * 10, 0)
    targets = ids.masked_fill(~is_real, IGNORE)
    return Batch(ids * is_real, targets, 0, is_real.long(), source=source, source_document=has_source.long())


def test_examples_stand_side_by_side_under_numbers_of_their_own():
    found = packed(batch(2, 1, 3), [2, 1])
    assert found.inputs.tolist() == [[10, 11, 20], [30, 31, 32]]
    assert found.document.tolist() == [[1, 1, 2], [1, 1, 1]]
    assert found.source.tolist() == [[10, 10, 10, 20, 20], [30, 30, 30, 30, 0]]
    assert found.source_document.tolist() == [[1, 1, 1, 2, 2], [1, 1, 1, 1, 0]]
    shorter = packed(batch(2, 1, 3), [1, 2])
    assert shorter.targets.tolist() == [[10, 11, IGNORE, IGNORE], [20, 30, 31, 32]]
    assert shorter.inputs.tolist() == [[10, 11, 0, 0], [20, 30, 31, 32]]
    assert shorter.document.tolist() == [[1, 1, 0, 0], [1, 2, 2, 2]]


def test_of_no_example_there_is_a_row_without_a_target():
    none = Batch(torch.tensor([[9]]), torch.tensor([[IGNORE]]), 0, torch.tensor([[1]]))
    assert packed(none, []) is none
