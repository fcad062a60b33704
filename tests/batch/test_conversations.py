"""Conversations as batches: targets on replies alone, cut at the oldest turns, padded; what is read before the last reply."""

import random

import numpy as np
import pytest
import torch

from lmlab.batch.conversations import Conversations
from lmlab.batch.source_target import prompts
from lmlab.examples import Rows
from lmlab.types import IGNORE, Mistake

EOS, U, A, S = 9, 11, 12, 13
"""The headers of a user, an assistant and a system are one token each."""
ROLES = ("assistant", "system", "user")
HEADERS = {"user": [U], "assistant": [A], "system": [S]}
NO = IGNORE


def made(*, seq_len=64, learned=("assistant",), **values):
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
    return Conversations(seq_len=seq_len, eos=EOS, learned=learned, roles=ROLES, **sizes)


def rows(*conversations, headers=HEADERS):
    """Each a list of (role, ids)."""
    turns = [turn for conversation in conversations for turn in conversation]
    texts = [text for role, ids in turns for text in (headers[role], ids)]
    counts = np.array([len(conversation) for conversation in conversations], np.int64)
    return Rows(
        ids=np.array([index for text in texts for index in text], np.uint16),
        text_ends=np.cumsum([len(text) for text in texts], dtype=np.int64),
        row_ends=np.cumsum(2 * counts, dtype=np.int64),
        labels=np.array([ROLES.index(role) for role, _ in turns], np.int32),
        label_ends=np.cumsum(counts, dtype=np.int64),
    )


CHAT = [("user", [1, 2]), ("assistant", [3]), ("user", [4]), ("assistant", [5, 6])]
SHORT = [("system", [7]), ("user", [1]), ("assistant", [2])]


def only(batching, conversation):
    """Inputs and targets of one conversation."""
    batch = batching.batch(rows(conversation), np.array([0]))
    return batch.inputs[0].tolist(), batch.targets[0].tolist()


def test_only_the_replies_and_their_ends_are_targets():
    batch = made().batch(rows(CHAT, SHORT), np.array([0, 1]))
    assert batch.inputs.tolist() == [
        [EOS, U, 1, 2, EOS, A, 3, EOS, U, 4, EOS, A, 5, 6],
        [EOS, S, 7, EOS, U, 1, EOS, A, 2, 0, 0, 0, 0, 0],
    ]
    assert batch.targets.tolist() == [
        [NO, NO, NO, NO, NO, 3, EOS, NO, NO, NO, NO, 5, 6, EOS],
        [NO, NO, NO, NO, NO, NO, NO, 2, EOS, NO, NO, NO, NO, NO],
    ]
    assert batch.document.tolist() == [[1] * 14, [1] * 9 + [0] * 5]
    assert (batch.num_targets, batch.place.tolist()) == (7, [0, 1])


def test_other_roles_may_be_learned_and_what_follows_the_last_of_them_is_left_out():
    inputs, targets = only(made(learned=["user"]), CHAT)
    assert inputs == [EOS, U, 1, 2, EOS, A, 3, EOS, U, 4]
    assert targets == [NO, 1, 2, EOS, NO, NO, NO, NO, 4, EOS]
    _, targets = only(made(learned=["user", "assistant"]), CHAT)
    assert [target for target in targets if target != NO] == [1, 2, EOS, 3, EOS, 4, EOS, 5, 6, EOS]


def test_a_prompt_is_all_that_was_said_before_the_last_reply_and_its_header():
    batching = made()
    ids, document = prompts(batching.batch(rows(CHAT, SHORT), np.array([0, 1])))
    wanted = [[EOS, U, 1, 2, EOS, A, 3, EOS, U, 4, EOS, A], [0, 0, 0, 0, EOS, S, 7, EOS, U, 1, EOS, A]]
    assert ids.tolist() == wanted
    assert document.tolist() == [[int(index != 0) for index in row] for row in wanted]
    typed = batching.of_conversations([[([U], [1, 2]), ([A], [3]), ([U], [4]), ([A], [])]], room=8)
    assert prompts(typed)[0].tolist() == wanted[:1]
    assert prompts(made().batch(rows(CHAT), np.empty(0, np.int64)))[0].tolist() == [[EOS]]


def test_two_replies_in_a_row_are_two():
    batch = made().batch(rows([("user", [1]), ("assistant", [2]), ("assistant", [3])]), np.array([0]))
    assert prompts(batch)[0].tolist() == [[EOS, U, 1, EOS, A, 2, EOS, A]]


@pytest.mark.parametrize(
    ("seq_len", "inputs", "lost"),
    [
        (14, [EOS, U, 1, 2, EOS, A, 3, EOS, U, 4, EOS, A, 5, 6], (0, 0)),
        (13, [EOS, A, 3, EOS, U, 4, EOS, A, 5, 6], (1, 1)),
        (10, [EOS, A, 3, EOS, U, 4, EOS, A, 5, 6], (1, 1)),
        (9, [EOS, U, 4, EOS, A, 5, 6], (1, 2)),
        (7, [EOS, U, 4, EOS, A, 5, 6], (1, 2)),
        (6, [EOS, U, 4, EOS, A, 5], (1, 2)),
    ],
)
def test_of_a_long_conversation_the_oldest_turns_are_left_out(seq_len, inputs, lost):
    batching = made(seq_len=seq_len)
    assert only(batching, CHAT)[0] == inputs
    assert batching.lengths(rows(CHAT)).tolist() == [len(inputs)]
    assert batching.left_out(rows(CHAT)) == lost


def test_a_long_turn_before_the_reply_loses_its_beginning_and_the_reply_nothing():
    inputs, targets = only(made(seq_len=10), [("user", list(range(1, 9))), ("assistant", [5, 6])])
    assert inputs == [EOS, U, 5, 6, 7, 8, EOS, A, 5, 6]
    assert targets == [NO] * 7 + [5, 6, EOS]


def test_a_reply_that_is_too_long_by_itself_loses_its_end():
    inputs, targets = only(made(seq_len=10), [("user", list(range(1, 9))), ("assistant", [1] * 20)])
    assert inputs == [EOS, U, 6, 7, 8, EOS, A, 1, 1, 1]
    assert targets[-4:] == [1, 1, 1, EOS]
    assert only(made(seq_len=6), [("assistant", [1] * 20)])[0] == [EOS, A, 1, 1, 1, 1]


def drawn(number):
    draw = random.Random(number)
    roles = [draw.choice(ROLES) for _ in range(draw.randrange(1, 9))]
    return [(role, [draw.randrange(1, 8) for _ in range(draw.randrange(1, 9))]) for role in [*roles, "assistant"]]


@pytest.mark.parametrize("seq_len", [6, 7, 11, 20, 64])
@pytest.mark.parametrize("learned", [["assistant"], ["assistant", "user"], ["assistant", "system"]])
def test_lengths_and_targets_are_those_of_the_batches(seq_len, learned):
    many = rows(*map(drawn, range(60)))
    batching = made(seq_len=seq_len, learned=learned)
    lengths = batching.lengths(many)
    assert lengths.max() <= seq_len
    for row in range(60):
        batch = batching.batch(many, np.array([row]))
        assert lengths[row] == batch.inputs.shape[1]
        assert batching.targets(many, np.array([row])) == batch.num_targets == int((batch.targets != NO).sum())
        assert batch.targets[0, -1] == EOS, "what is cut ends all the same"


def test_ranks_and_passes_make_one_global_batch():
    many = rows(*map(drawn, range(23)))
    whole = made().train(many)
    parts = [made(micro_size=1).train(many, rank=rank, world=2) for rank in range(2)]
    for step in range(len(whole.plan)):
        batch = whole[step, 0]
        shares = [part[step, micro] for micro in range(2) for part in parts]
        assert {share.num_targets for share in shares} == {batch.num_targets}
        assert sum(int((share.targets != NO).sum()) for share in shares) == batch.num_targets
        assert batch.num_tokens == int(batch.document.sum())


def test_of_no_conversation_there_is_a_row_without_a_target():
    batch = made().batch(rows(CHAT), np.empty(0, np.int64))
    assert (batch.inputs.tolist(), batch.targets.tolist(), batch.num_targets) == ([[EOS]], [[NO]], 0)
    none = rows()
    assert (len(made().lengths(none)), made().left_out(none), made().without_target(none)) == (0, (0, 0), 0)


def test_evaluation_has_every_conversation_once():
    places = torch.cat([batch.place for batch in made().eval(rows(*map(drawn, range(10))))])
    assert sorted(places.tolist()) == list(range(10))


def test_conversations_without_a_reply_are_counted():
    assert made().without_target(rows(CHAT, [("user", [1])], SHORT, [("system", [1])])) == 2


def test_a_prompt_leaves_room_for_the_reply():
    batching = made(seq_len=12)
    turns = [([U], [1, 2, 3]), ([A], [4]), ([U], [5, 6, 7, 8, 1, 2]), ([A], [])]
    assert prompts(batching.of_conversations([turns], room=4))[0].tolist() == [[EOS, U, 7, 8, 1, 2, EOS, A]]


def test_headers_that_leave_no_room_are_refused():
    with pytest.raises(
        Mistake, match=r"batch\.seq_len=5 has no room for two turns with headers of 1 tokens; set it to 6"
    ):
        made(seq_len=5).lengths(rows(CHAT))
