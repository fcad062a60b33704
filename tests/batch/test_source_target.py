"""Sources and targets as batches: apart and joined, cut, padded; what a decoder has read before its first target."""

import numpy as np
import pytest
import torch

from lmlab.batch.source_target import SourceTarget, prompts
from lmlab.examples import Rows
from lmlab.types import IGNORE, Mistake

EOS = 9


def made(*, joined, seq_len=16, **values):
    sizes = {
        "size": 4,
        "micro_size": None,
        "max_tokens": None,
        "eval_size": 3,
        "num_workers": 0,
        "packing": False,
        "seed": 0,
        **values,
    }
    return SourceTarget(seq_len=seq_len, eos=EOS, joined=joined, **sizes)


def rows(*examples):
    """Each a source and its targets, as lists of ids."""
    texts = [text for example in examples for text in example]
    return Rows(
        ids=np.array([index for text in texts for index in text], np.uint16),
        text_ends=np.cumsum([len(text) for text in texts]),
        row_ends=np.cumsum([len(example) for example in examples]),
        labels=np.empty(0, np.int32),
        label_ends=np.zeros(len(examples), np.int64),
    )


TWO = rows(([1, 2, 3], [4], [5, 6]), ([7], [8, 1]))


def test_apart_an_encoder_reads_the_source_and_a_decoder_writes_the_first_target():
    batch = made(joined=False).batch(TWO, np.array([0, 1]))
    assert batch.source.tolist() == [[1, 2, 3, EOS], [7, EOS, 0, 0]]
    assert batch.source_document.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch.inputs.tolist() == [[EOS, 4, 0], [EOS, 8, 1]]
    assert batch.targets.tolist() == [[4, EOS, IGNORE], [8, 1, EOS]]
    assert batch.document.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert (batch.num_targets, batch.place.tolist()) == (5, [0, 1])


def test_joined_a_decoder_reads_both_and_only_the_target_counts():
    batch = made(joined=True).batch(TWO, np.array([0, 1]))
    assert batch.source is None
    assert batch.inputs.tolist() == [[EOS, 1, 2, 3, EOS, 4], [EOS, 7, EOS, 8, 1, 0]]
    assert batch.targets.tolist() == [[IGNORE] * 4 + [4, EOS], [IGNORE] * 2 + [8, 1, EOS, IGNORE]]
    assert batch.num_targets == 5


@pytest.mark.parametrize("joined", [False, True])
def test_prompts_are_what_stands_before_the_first_target(joined):
    batching = made(joined=joined)
    ids, document = prompts(batching.batch(TWO, np.array([0, 1])))
    wanted = [[EOS, 1, 2, 3, EOS], [0, 0, EOS, 7, EOS]] if joined else [[EOS], [EOS]]
    assert ids.tolist() == wanted
    assert document.tolist() == [[int(index != 0) for index in row] for row in wanted]
    alone = prompts(batching.of_sources([[1, 2, 3], [7]]))
    assert [one.tolist() for one in alone] == [ids.tolist(), document.tolist()]


@pytest.mark.parametrize("joined", [False, True])
def test_what_is_too_long_is_cut_and_lengths_know_it(joined):
    batching, long = made(joined=joined, seq_len=6), rows((list(range(1, 8)), [1] * 8), ([1], [2]))
    batch = batching.batch(long, np.array([0]))
    assert batch.inputs.shape[1] <= 6
    parts = 0 if batch.source is None else batch.source.shape[1]
    assert batching.lengths(long)[0] == batch.inputs.shape[1] + parts
    assert int((batch.targets != IGNORE).sum()) == batch.num_targets == batching.targets(long, np.array([0]))
    assert batch.targets[0, -1] == EOS, "what is cut ends all the same"
    if joined:
        assert batch.targets.tolist() == [[IGNORE] * 3 + [1, 1, EOS]]


@pytest.mark.parametrize("joined", [False, True])
def test_of_no_example_there_is_a_row_without_a_target(joined):
    batch = made(joined=joined).batch(TWO, np.empty(0, np.int64))
    assert (batch.targets == IGNORE).all()
    assert batch.targets.shape == batch.inputs.shape
    assert (batch.num_targets, len(batch.place)) == (0, 0)


@pytest.mark.parametrize("joined", [False, True])
def test_ranks_and_passes_make_one_global_batch(joined):
    many = rows(*(([1 + number % 5] * (number % 7 + 1), [2] * (number % 3)) for number in range(23)))
    whole = made(joined=joined).train(many)
    parts = [made(joined=joined, micro_size=1).train(many, rank=rank, world=2) for rank in range(2)]
    for step in range(len(whole.plan)):
        batch = whole[step, 0]
        shares = [part[step, micro] for micro in range(2) for part in parts]
        assert {share.num_targets for share in shares} == {batch.num_targets}
        assert sum(int((share.targets != IGNORE).sum()) for share in shares) == batch.num_targets
        assert int((batch.targets != IGNORE).sum()) == batch.num_targets
        assert batch.num_tokens == int((batch.document > 0).sum()) + (
            0 if joined else int((batch.source_document > 0).sum())
        )


def test_evaluation_has_every_example_once():
    many = rows(*(([1] * (number % 5 + 1), [2]) for number in range(10)))
    places = torch.cat([batch.place for batch in made(joined=False).eval(many)])
    assert sorted(places.tolist()) == list(range(10))


def test_a_length_without_room_is_refused():
    with pytest.raises(Mistake, match=r"batch\.seq_len=3 has no room"):
        made(joined=True, seq_len=3)
