"""Each epoch has every example once, those of about one length together, in an order that follows from seed and epoch."""

import numpy as np
import pytest

from lmlab.batch.buckets import WIDTH, Buckets

LENGTHS = np.random.default_rng(0).integers(1, 200, size=503)


@pytest.mark.parametrize(("size", "max_tokens"), [(16, None), (64, 1024), (7, 200), (1000, None), (1, 1)])
def test_an_epoch_has_every_example_once_within_the_budget(size, max_tokens):
    made = Buckets(LENGTHS, size=size, max_tokens=max_tokens, seed=3)
    for epoch in range(2):
        batches = [made[epoch * len(made) + number] for number in range(len(made))]
        assert sorted(np.concatenate(batches).tolist()) == list(range(503))
        for batch in batches:
            assert 1 <= len(batch) <= size
            assert max_tokens is None or len(batch) == 1 or len(batch) * LENGTHS[batch].max() <= max_tokens


def test_a_step_follows_from_seed_and_step_alone():
    one, other = (Buckets(LENGTHS, size=16, max_tokens=None, seed=3) for _ in range(2))
    assert [one[step].tolist() for step in range(100)] == [other[step].tolist() for step in reversed(range(100))][::-1]
    third = Buckets(LENGTHS, size=16, max_tokens=None, seed=4)
    assert any(one[step].tolist() != third[step].tolist() for step in range(5))


def test_epochs_differ_in_their_batches_and_in_their_order():
    made = Buckets(LENGTHS, size=16, max_tokens=None, seed=3)
    epochs = [[frozenset(made[len(made) * epoch + one].tolist()) for one in range(len(made))] for epoch in range(2)]
    assert epochs[0] != epochs[1]
    assert set(epochs[0]) != set(epochs[1])


def test_little_is_padding():
    made = Buckets(LENGTHS, size=16, max_tokens=None, seed=3)
    batches = [made[number] for number in range(len(made))]
    spread = [np.ptp(LENGTHS[batch]) for batch in batches]
    assert np.mean(spread) < 2 * WIDTH
