"""Tagged sentences: what an input looks like, that long ones are cut and nothing is lost, and how passes share a step."""

import numpy as np
import pytest
import torch

from lmlab.batch.tagged import Tagged
from lmlab.examples import Rows
from lmlab.types import IGNORE, Mistake

EOS = 99


def rows(sentences):
    """Of each sentence the pieces of its words; word n has the tag n."""
    flat = [np.array(word, np.uint16) for words in sentences for word in words]
    ends = np.cumsum([len(words) for words in sentences], dtype=np.int64)
    return Rows(
        ids=np.concatenate([*flat, np.empty(0, np.uint16)]),
        text_ends=np.cumsum([len(word) for word in flat], dtype=np.int64),
        row_ends=ends,
        labels=np.arange(len(flat), dtype=np.int32),
        label_ends=ends,
    )


def made(**values):
    defaults = {"size": 4, "micro_size": None, "max_tokens": None, "seq_len": 7, "eval_size": 3, "num_workers": 0}
    return Tagged(**defaults | {"seed": 0, "eos": EOS} | values)


SENTENCES = rows([[[1], [2, 3]], [[4], [], [5]], [[6]]])


def test_the_first_piece_of_each_word_has_its_tag():
    batching = made()
    batch = batching.batch(batching.items(SENTENCES), np.array([0, 1]))
    assert batch.inputs.tolist() == [[EOS, 1, 2, 3, EOS], [EOS, 4, EOS, 5, EOS]]  # of an empty word its place
    assert batch.targets.tolist() == [[IGNORE, 0, 1, IGNORE, IGNORE], [IGNORE, 2, 3, 4, IGNORE]]
    assert batch.document.tolist() == [[1] * 5, [1] * 5]
    assert batch.num_targets == 5


def test_places_leave_a_number_out_between_sentences():
    (batch,) = made().eval(SENTENCES)
    assert sorted(batch.place[batch.targets != IGNORE].tolist()) == [0, 1, 3, 4, 5, 7]


@pytest.mark.parametrize("seq_len", [3, 4, 5, 8, 40])
def test_a_long_sentence_is_cut_before_words_and_every_word_is_read_once(seq_len):
    draw = np.random.default_rng(0)
    data = rows([[[7] * draw.integers(0, 4) for _ in range(draw.integers(1, 9))] for _ in range(20)])
    batching = made(seq_len=seq_len)
    parts = batching.items(data)
    found = []
    for batch in batching.eval(data):
        assert batch.inputs.shape[1] <= seq_len
        found += batch.targets[batch.targets != IGNORE].tolist()
        row_of = np.searchsorted(data.row_ends, batch.targets.numpy(), side="right")
        for targets, of in zip(batch.targets, row_of):
            assert len(set(of[targets.numpy() != IGNORE])) == 1, "a part is of one sentence"
    assert sorted(found) == [*range(len(data.labels))]
    assert (parts.length <= seq_len).all()
    trained = [batch for step in range(batching.steps_per_epoch(data)) for batch in [batching.train(data)[step, 0]]]
    assert sorted(tag for one in trained for tag in one.targets.flatten().tolist() if tag != IGNORE) == sorted(found)


def test_lengths_are_those_of_the_inputs():
    batching = made(seq_len=4)
    parts = batching.items(SENTENCES)
    for part, length in enumerate(parts.length):
        assert batching.batch(parts, np.array([part])).inputs.shape[1] == length


@pytest.mark.parametrize("micro_size", [1, 2, 4])
@pytest.mark.parametrize("world", [1, 2])
def test_passes_and_ranks_share_a_step_and_know_its_words(micro_size, world):
    if micro_size * world > 4:
        pytest.skip("a step of 4 has no such parts")
    data = rows([[[1]] * (number % 5 + 1) for number in range(10)])
    batching = made(micro_size=micro_size)
    for step in range(5):  # the last of an epoch has 2 sentences: some passes have none
        whole = made().train(data)[step, 0]
        parts = [
            batching.train(data, rank=rank, world=world)[step, micro]
            for micro in range(batching.share(world=world).num_micro)
            for rank in range(world)
        ]
        found = sorted(int(tag) for part in parts for tag in part.targets.flatten() if tag != IGNORE)
        assert found == sorted(whole.targets[whole.targets != IGNORE].tolist())
        assert {part.num_targets for part in parts} == {len(found)}
        assert {part.num_tokens for part in parts} == {int(whole.document.sum())}


def test_no_room_and_no_sentence_are_said():
    with pytest.raises(Mistake, match=r"batch\.seq_len=2 has no room"):
        made(seq_len=2)
    with pytest.raises(Mistake, match=r"batch\.max_tokens=5 has no room"):
        made(max_tokens=5)
    with pytest.raises(Mistake, match="training split has no example"):
        made().train(rows([]))


def test_an_input_of_no_sentence_is_a_row_without_target():
    batching = made()
    batch = batching.batch(batching.items(SENTENCES), np.array([], np.int64))
    assert batch.inputs.tolist() == [[EOS]]
    assert not torch.any(batch.targets != IGNORE)
