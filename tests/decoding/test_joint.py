"""What begins with a text, summed over all paths by hand; joint beam search against every transcript that there is."""

from itertools import groupby, product

import pytest
import torch

from lmlab.decoding.ctc_prefix import CtcPrefix
from lmlab.decoding.joint import Joint
from lmlab.types import Memory, Mistake, Output

EOS, A, B, BLANK = 0, 1, 2, 3
NEGLIGIBLE = torch.tensor([-40.0, 0.0, 0.0, 0.0])
"""Nobody says `<eos>`."""


def scores(seed, states=4, batch=1):
    drawn = torch.randn(batch, states, 4, generator=torch.Generator().manual_seed(seed)) + NEGLIGIBLE
    return drawn.log_softmax(dim=-1).double()


def log_p(rows, begins):
    """Of all paths whose transcript passes the test."""
    total = 0.0
    for path in product(range(4), repeat=len(rows)):
        if begins([symbol for symbol, _ in groupby(path) if symbol != BLANK]):
            total += float(rows[range(len(rows)), list(path)].sum().exp())
    return torch.tensor(total, dtype=torch.double).log()


def begins_with(text):
    return lambda transcript: transcript[: len(text)] == text


@pytest.mark.parametrize("text", [[A], [A, A], [A, B, A], [B, B, A]])
def test_a_prefix_has_the_probability_of_all_paths_that_begin_with_it(text):
    rows = scores(len(text))
    made = CtcPrefix(rows, torch.tensor([4]), weight=1.0, eos=EOS)
    total = torch.zeros((), dtype=torch.double)
    for place, token in enumerate(text):
        total += made(torch.zeros(1, 3).double(), torch.tensor([text[:place]]).long().reshape(1, place), [0])[0, token]
    torch.testing.assert_close(total, log_p(rows[0], begins_with(text)), rtol=1e-6, atol=1e-6)
    total += made(torch.zeros(1, 3).double(), torch.tensor([text]), [0])[0, EOS]
    torch.testing.assert_close(total, log_p(rows[0], lambda found: found == text), rtol=1e-6, atol=1e-6)


def test_states_behind_a_recordings_end_change_nothing():
    long, short = scores(1, states=5), scores(1, states=5)[:, :3]
    found = []
    for rows in (long, short):
        made = CtcPrefix(rows, torch.tensor([3]), weight=0.5, eos=EOS)
        attention = torch.full((1, 3), -1.0).double()
        found.append([made(attention, torch.tensor([[A, B][:place]]).long(), [0]) for place in (0, 1, 2)])
    for of_long, of_short in zip(*found):
        torch.testing.assert_close(of_long, of_short)


class Decoder(torch.nn.Module):
    """Its state is the last token: what follows is a row of a table."""

    dim, causal, state_grows = 3, True, False

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(3, 3)

    def forward(self, inputs, document=None, memory=None, state=None):
        return Output(torch.nn.functional.one_hot(inputs, 3).float(), state=inputs[:, -1])


def test_joint_search_finds_the_best_of_all_transcripts():
    table = torch.randn(3, 3, generator=torch.Generator().manual_seed(7))
    rows = torch.stack([scores(3)[0], scores(4)[0]])
    head = torch.nn.Linear(3, 3, bias=False)
    head.weight.data = table.T.clone()
    head.ctc = torch.nn.Identity()
    memory = Memory(rows, document=torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]))
    found = Joint(ctc_weight=0.4, num_beams=64, length_penalty=None, max_tokens=4)(Decoder(), head, memory, eos=EOS)
    for row, length in enumerate((4, 3)):
        best = max(
            (list(text) for size in range(4) for text in product((A, B), repeat=size)),
            key=lambda text: joint(text, rows[row, :length], table),
        )
        assert found[row] == best


def joint(text, rows, table):
    steps = zip([EOS, *text], [*text, EOS])
    attention = sum(float(table[before].log_softmax(dim=-1)[after]) for before, after in steps)
    return 0.4 * float(log_p(rows, lambda one: one == text)) + 0.6 * attention


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_weight_that_leaves_one_out_is_refused(weight):
    with pytest.raises(Mistake, match="choose decoding=attention"):
        Joint(ctc_weight=weight, num_beams=2, length_penalty=None, max_tokens=None)
