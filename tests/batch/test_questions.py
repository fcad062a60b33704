"""Questions with contexts: what an input looks like, that windows cover every token, and how passes share a step."""

import numpy as np
import pytest
import torch

from lmlab.batch.questions import END, START, Questions
from lmlab.examples import QuestionRows
from lmlab.types import IGNORE, Mistake

EOS = 99


def rows(questions):
    """Of (ids of the question, ids of the context, answers, whether it has one); the token 7 is white space."""
    flat = [np.array(context, np.int64) for _, context, *_ in questions]
    places = [[[2 * place, 2 * place + (index != 7)] for place, index in enumerate(context)] for context in flat]
    answers = [answer for _, _, found, _ in questions for answer in found]
    return QuestionRows(
        question_ids=np.array([index for ids, *_ in questions for index in ids], np.int64),
        question_ends=np.cumsum([len(ids) for ids, *_ in questions], dtype=np.int64),
        context_ids=np.concatenate([*flat, np.empty(0, np.int64)]),
        places=np.array([place for part in places for place in part], np.int32).reshape(-1, 2),
        context_ends=np.cumsum([len(context) for context in flat], dtype=np.int64),
        context_of=np.arange(len(questions)),
        answers=np.array(answers, np.int32).reshape(-1, 2),
        answer_ends=np.cumsum([len(found) for _, _, found, _ in questions], dtype=np.int64),
        is_answerable=np.array([is_answerable for *_, is_answerable in questions], bool),
    )


def made(**values):
    defaults = {"size": 4, "micro_size": None, "max_tokens": None, "seq_len": 9, "question_len": 2, "stride": 2}
    return Questions(**defaults | {"eval_size": 3, "num_workers": 0, "seed": 0, "eos": EOS} | values)


DATA = rows(
    [
        ([1, 2], [3, 4, 7, 5], [(1, 3)], True),
        ([1], [5, 6], [], False),
        ([1, 2, 3], [6], [], True),  # of an answer that nobody finds
        ([2], [3, 4], [(1, 1)], True),
    ]
)


def test_an_input_is_question_and_context_and_its_targets_say_where_answers_may_be():
    batching = made()
    batch = batching.batch(batching.items(DATA), np.array([0, 1, 2, 3]))
    assert batch.inputs.tolist() == [
        [EOS, 1, 2, EOS, 3, 4, 7, 5, EOS],
        [EOS, 1, EOS, 5, 6, EOS, 0, 0, 0],
        [EOS, 1, 2, EOS, 6, EOS, 0, 0, 0],
        [EOS, 2, EOS, 3, 4, EOS, 0, 0, 0],
    ]
    no = IGNORE
    assert batch.targets.tolist() == [
        [0, no, no, no, 0, START, no, END, no],
        [START + END, no, no, 0, 0, no, no, no, no],
        [0, no, no, no, 0, no, no, no, no],
        [0, no, no, 0, START + END, no, no, no, no],
    ]
    assert batch.document.sum(dim=1).tolist() == [9, 6, 6, 6]
    assert batch.num_targets == 3
    assert batch.place.tolist() == [[0, -4], [1, -3], [2, -4], [3, -3]]


def test_a_window_without_the_whole_answer_has_none():
    data = rows([([1], [3, 4, 5, 6, 8, 9, 10], [(4, 5)], True)])
    batching = made(seq_len=8, question_len=2, stride=2)
    windows = batching.items(data)
    assert [*zip(windows.first.tolist(), windows.end.tolist())] == [(0, 4), (2, 6), (4, 7)]
    batch = batching.batch(windows, np.arange(3))
    assert batch.targets[:, 0].tolist() == [START + END, 0, 0]
    assert [(row == START).nonzero().flatten().tolist() for row in batch.targets] == [[], [5], [3]]


@pytest.mark.parametrize(("seq_len", "stride"), [(6, 1), (7, 2), (9, 1), (9, 4), (40, 5)])
def test_windows_hold_every_token_and_places_lead_back_to_the_context(seq_len, stride):
    draw = np.random.default_rng(0)
    data = rows([([1] * draw.integers(0, 4), [*range(100, 100 + draw.integers(0, 30))], [], False) for _ in range(20)])
    found = {row: set() for row in range(len(data))}
    for batch in made(seq_len=seq_len, stride=stride).eval(data):
        assert batch.inputs.shape[1] <= seq_len
        for inputs, targets, (row, shift) in zip(batch.inputs, batch.targets, batch.place.tolist()):
            for place in (targets != IGNORE).nonzero().flatten().tolist()[1:]:
                assert inputs[place] == 100 + place + shift
                found[row].add(place + shift)
    assert [len(found[row]) for row in found] == data.context_lengths().tolist()


@pytest.mark.parametrize("micro_size", [1, 2, 4])
@pytest.mark.parametrize("world", [1, 2])
def test_passes_and_ranks_share_a_step_and_know_its_windows(micro_size, world):
    if micro_size * world > 4:
        pytest.skip("a step of 4 has no such parts")
    data = rows([([1], [*range(100, 103 + number % 5)], [(1, 2)] * (number % 2), True) for number in range(9)])
    batching = made(micro_size=micro_size)
    for step in range(batching.steps_per_epoch(data)):
        whole = made().train(data)[step, 0]
        parts = [
            batching.train(data, rank=rank, world=world)[step, micro]
            for micro in range(batching.share(world=world).num_micro)
            for rank in range(world)
        ]
        known = sum(int((part.targets > 0).any(dim=-1).sum()) for part in parts)
        assert {part.num_targets for part in parts} == {max(1, known)} == {whole.num_targets}
        assert {part.num_tokens for part in parts} == {int(whole.document.sum())}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"seq_len": 5}, r"batch\.seq_len=5 has no room for a context"),
        ({"stride": 5}, r"batch\.stride=5 would leave tokens between windows unread; set it to 1 \.\.\. 4"),
        ({"stride": 0}, r"batch\.stride=0"),
        ({"question_len": 0}, r"batch\.question_len=0 leaves nothing"),
        ({"max_tokens": 5}, r"batch\.max_tokens=5 has no room"),
    ],
)
def test_sizes_that_lose_something_are_refused(values, said):
    with pytest.raises(Mistake, match=said):
        made(**values)


def test_no_question_is_said_and_a_batch_of_none_has_no_target():
    with pytest.raises(Mistake, match="no example"):
        made().train(rows([]))
    batch = made().batch(made().items(DATA), np.array([], np.int64))
    assert batch.inputs.tolist() == [[EOS]]
    assert not torch.any(batch.targets != IGNORE)
