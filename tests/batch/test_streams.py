"""Streams: every token is a target once per epoch, in reading order per stream, whatever the sizes."""

import numpy as np
import pytest
import torch

from lmlab.batch.streams import Streams
from lmlab.types import IGNORE, Mistake

EOS = 9999


def made(size: int = 5, seq_len: int = 7, micro_size: int | None = None, eval_size: int = 1) -> Streams:
    return Streams(
        size=size, micro_size=micro_size, seq_len=seq_len, eval_size=eval_size, num_workers=0, seed=0, eos=EOS
    )


def epoch(batching: Streams, tokens: np.ndarray, *, world: int = 1, first: int = 0):
    """The global chunks of an epoch: (inputs, targets, num_targets, is_start)."""
    shares = [batching.share(rank=rank, world=world) for rank in range(world)]
    datasets = [batching.train(tokens, rank=rank, world=world) for rank in range(world)]
    for step in range(first, first + batching.steps_per_epoch(tokens)):
        keys = [(rank, micro) for rank in range(world) for micro in range(shares[rank].num_micro)]
        batches = [datasets[rank][step, micro] for rank, micro in keys]
        order = torch.cat([batch.rows for batch in batches]).argsort()
        assert len({(batch.num_targets, batch.is_start) for batch in batches}) == 1
        inputs, targets = (
            torch.cat([getattr(batch, name) for batch in batches])[order] for name in ("inputs", "targets")
        )
        yield inputs, targets, batches[0].num_targets, batches[0].is_start


AWKWARD = [
    (10, 5, 7),
    (11, 5, 7),
    (13, 5, 2),
    (97, 5, 7),
    (101, 1, 7),
    (997, 13, 11),
    (35, 5, 7),
    (36, 5, 7),
    (9, 4, 1),
]


@pytest.mark.parametrize(("num_tokens", "size", "seq_len"), AWKWARD)
def test_every_token_is_a_target_exactly_once_in_reading_order(num_tokens, size, seq_len):
    tokens = np.arange(num_tokens, dtype=np.uint16)
    chunks = list(epoch(made(size, seq_len), tokens))
    targets = torch.cat([targets for _, targets, _, _ in chunks], dim=1)
    inputs = torch.cat([inputs for inputs, _, _, _ in chunks], dim=1)
    real = targets != IGNORE
    assert targets[real].tolist() == tokens.tolist()  # row after row, so each stream goes on where it stopped
    assert inputs[real].tolist() == [EOS, *tokens[:-1].tolist()]
    assert [number for _, _, number, _ in chunks] == [int((targets != IGNORE).sum()) for _, targets, _, _ in chunks]
    assert [is_start for _, _, _, is_start in chunks] == [True] + [False] * (len(chunks) - 1)


@pytest.mark.parametrize(("micro_size", "world"), [(2, 1), (1, 1), (None, 2), (1, 2), (1, 3), (None, 3)])
def test_the_global_chunk_does_not_depend_on_passes_and_ranks(micro_size, world):
    tokens = np.arange(97, dtype=np.uint16)
    for one, other in zip(
        epoch(made(6), tokens), epoch(made(6, micro_size=micro_size), tokens, world=world), strict=True
    ):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
        assert one[2:] == other[2:]


def test_the_second_epoch_is_like_the_first():
    tokens = np.arange(97, dtype=np.uint16)
    length = made().steps_per_epoch(np.zeros(97, dtype=np.uint16))
    for one, other in zip(epoch(made(), tokens), epoch(made(), tokens, first=length), strict=True):
        assert torch.equal(one[1], other[1])
        assert one[3] == other[3]


@pytest.mark.parametrize("eval_size", [1, 3, 8])
@pytest.mark.parametrize("num_tokens", [5, 256, 257, 769, 1999])
def test_evaluation_covers_every_token_once(num_tokens, eval_size):
    tokens = np.arange(num_tokens, dtype=np.uint16)
    dataset = made(eval_size=eval_size).eval(tokens)
    batches = [dataset[number] for number in range(len(dataset))]
    targets = torch.cat([batch.targets for batch in batches], dim=1)
    assert targets[targets != IGNORE].tolist() == tokens.tolist()
    assert [batch.is_start for batch in batches] == [True] + [False] * (len(batches) - 1)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_a_text_too_short_for_the_streams_is_a_mistake():
    with pytest.raises(Mistake, match=r"has 9 tokens, too few for batch.size=5 streams; set batch.size to at most 4"):
        made(5).train(np.arange(9, dtype=np.uint16))
