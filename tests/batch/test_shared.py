import numpy as np
import pytest

from lmlab.batch.shared import Shared
from lmlab.batch.windows import Windows
from lmlab.types import IGNORE

KEYS = {"size": 6, "micro_size": None, "seq_len": 5, "num_workers": 0, "seed": 0, "eos": 1}


@pytest.mark.parametrize("world", [1, 2, 3, 4, 9])
def test_every_target_is_counted_by_one_rank_and_all_make_as_many_passes(world):
    tokens = np.arange(2, 2 + 101)  # a prime number of tokens, in a prime number of batches
    batches = Windows(**KEYS, eval_size=3).eval(tokens)
    assert len(batches) == 7
    parts = [Shared(batches, len(batches), rank=rank, world=world) for rank in range(world)]
    assert {len(part) for part in parts} == {-(-7 // world)}
    counted = [target for part in parts for batch in part for target in batch.targets.flatten().tolist()]
    assert sorted(target for target in counted if target != IGNORE) == tokens.tolist()


def test_a_limit_is_that_of_all_ranks_together():
    batches = Windows(**KEYS, eval_size=1).eval(np.arange(2, 52))
    parts = [Shared(batches, 3, rank=rank, world=2) for rank in range(2)]
    assert sum(int((batch.targets != IGNORE).sum()) for part in parts for batch in part) == 15


def test_a_rank_that_is_not_counted_makes_the_same_passes():
    batches = Windows(**KEYS, eval_size=1).eval(np.arange(2, 52))
    silent = Shared(batches, len(batches), is_counted=False)
    assert len(silent) == len(batches)
    assert all((batch.targets == IGNORE).all() for batch in silent)
    assert all((one.inputs == other.inputs).all() for one, other in zip(silent, batches))
