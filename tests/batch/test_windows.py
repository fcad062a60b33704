"""Random windows: the same global batch however it is cut. Adjacent windows: every token once."""

import numpy as np
import pytest
import torch

from lmlab.batch.windows import Windows
from lmlab.types import IGNORE, Mistake

TOKENS = np.arange(997, dtype=np.uint16)
EOS = 1000


def made(**changes) -> Windows:
    given = {"size": 12, "micro_size": None, "seq_len": 7, "eval_size": 5, "num_workers": 0, "seed": 3, "eos": EOS}
    return Windows(**{**given, **changes})


def global_batch(step: int, *, micro_size: int | None = None, world: int = 1, seed: int = 3) -> torch.Tensor:
    """Rows of all ranks and passes, in the order of their global numbers."""
    rows = {}
    for rank in range(world):
        batching = made(micro_size=micro_size, seed=seed)
        one, dataset = batching.share(rank=rank, world=world), batching.train(TOKENS, rank=rank, world=world)
        for micro in range(one.num_micro):
            batch = dataset[step, micro]
            assert batch.num_targets == 12 * 7
            assert torch.equal(batch.targets, batch.inputs + 1)
            rows.update(zip(one.rows(micro), batch.inputs, strict=True))
    return torch.stack([rows[row] for row in sorted(rows)])


@pytest.mark.parametrize(("micro_size", "world"), [(4, 1), (1, 1), (None, 2), (3, 2), (2, 3), (1, 4)])
def test_the_global_batch_does_not_depend_on_passes_and_ranks(micro_size, world):
    for step in (0, 1, 10**6):
        assert torch.equal(global_batch(step, micro_size=micro_size, world=world), global_batch(step))


def test_the_batch_follows_from_seed_and_step():
    batches = [global_batch(step, seed=seed) for seed in (3, 4) for step in (0, 1)]
    assert len({tuple(batch[:, 0].tolist()) for batch in batches}) == 4


def test_every_window_that_fits_is_drawn():
    tokens = np.arange(9, dtype=np.uint16)
    dataset = made(micro_size=None, seq_len=7).train(tokens)
    assert {int(row[0]) for step in range(9) for row in dataset[step, 0].inputs} == {0, 1}


def test_a_text_no_longer_than_a_window_is_a_mistake():
    with pytest.raises(
        Mistake, match=r"has 7 tokens, fewer than one window of batch.seq_len=7; set batch.seq_len below 7"
    ):
        made().train(np.arange(7, dtype=np.uint16))
    made().train(np.arange(8, dtype=np.uint16))[0, 0]


@pytest.mark.parametrize("num_tokens", [1, 6, 7, 8, 34, 35, 36, 71, 997])
def test_evaluation_covers_every_token_once(num_tokens):
    tokens = TOKENS[:num_tokens]
    dataset = made().eval(tokens)
    batches = [dataset[number] for number in range(len(dataset))]
    targets = torch.cat([batch.targets.flatten() for batch in batches])
    inputs = torch.cat([batch.inputs.flatten() for batch in batches])
    real = targets != IGNORE
    assert targets[real].tolist() == tokens.tolist()
    assert inputs[real].tolist() == [EOS, *tokens[:-1].tolist()]
    assert [batch.num_targets for batch in batches] == [int((batch.targets != IGNORE).sum()) for batch in batches]
    for batch in batches:
        is_padded = bool((batch.targets == IGNORE).any())
        assert is_padded == (batch.document is not None)
        assert not is_padded or torch.equal(batch.document != 0, batch.targets != IGNORE)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_an_epoch_is_as_many_steps_as_hold_the_text_once():
    assert made().steps_per_epoch(np.zeros(997, dtype=np.uint16)) == 997 // 84
    assert made().steps_per_epoch(np.zeros(3, dtype=np.uint16)) == 1
