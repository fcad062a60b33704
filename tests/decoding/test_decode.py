"""One call for every task that writes text."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from lmlab.decoding.decode import decode, left_padded
from lmlab.decoding.options import Options
from lmlab.types import Memory, Mistake, Output

EOS = 3


class Reader(nn.Module):
    """A decoder of what it has read, and of a memory if there is one; its state is a sum."""

    dim, causal, state_grows = 7, True, False

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(7, 7)

    def forward(self, inputs, document=None, memory=None, state=None):
        vectors = self.embedding(inputs)
        vectors = vectors if document is None else vectors * document[..., None]
        sums = vectors.cumsum(1) * 0.9 + (0 if state is None else state[:, None])
        read = 0 if memory is None else 3 * memory.states.mul(memory.document[..., None]).sum(1, keepdim=True)
        return Output(4 * (sums + read).sin(), sums[:, -1])


PROMPTS = [[1, 2], [4], [5, 6, 5], [0, 1, 1]]
OPTIONS = Options(max_tokens=8)


@pytest.mark.parametrize(
    "options",
    [OPTIONS, replace(OPTIONS, num_beams=3, length_penalty=0.6), replace(OPTIONS, no_repeat_ngram=1)],
    ids=["greedy", "beams", "ngrams"],
)
@pytest.mark.parametrize("has_memory", [False, True])
def test_answers_are_those_of_each_prompt_alone(options, has_memory):
    model, states = Reader().eval(), torch.randn(4, 2, 7, generator=torch.Generator().manual_seed(1))
    memory = Memory(states, torch.tensor([[1, 1], [1, 0], [0, 1], [1, 1]])) if has_memory else None
    found = decode(model, nn.Identity(), *left_padded(PROMPTS), eos=EOS, options=options, memory=memory)
    for row, prompt in enumerate(PROMPTS):
        own = Memory(states[row : row + 1], memory.document[row : row + 1]) if memory else None
        assert [found[row]] == decode(
            model, nn.Identity(), torch.tensor([prompt]), eos=EOS, options=options, memory=own
        )
    assert all(EOS not in ids and len(ids) <= 8 for ids in found)
    assert len({tuple(ids) for ids in found}) > 1


def test_an_answer_may_say_what_the_prompt_said_but_nothing_twice():
    model = Reader().eval()
    (free,) = decode(model, nn.Identity(), torch.tensor([[1, 2]]), eos=EOS, options=OPTIONS)
    options = replace(OPTIONS, no_repeat_ngram=1)
    (found,) = decode(model, nn.Identity(), torch.tensor([[1, *free[:2]]]), eos=EOS, options=options)
    assert len(set(found)) == len(found)
    assert found


def test_prompts_are_padded_on_the_left():
    ids, document = left_padded([[1, 2], [4], [5, 6, 5]])
    assert ids.tolist() == [[0, 1, 2], [0, 0, 4], [5, 6, 5]]
    assert document.tolist() == [[0, 1, 1], [0, 0, 1], [1, 1, 1]]
    with pytest.raises(Mistake, match="a prompt is empty"):
        left_padded([[1], []])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_beams": 2, "temperature": 0.5}, "temperature=0.5"),
        ({"num_beams": 2, "min_p": 0.5}, "min_p=0.5"),
        ({"num_beams": 2, "repetition_penalty": 1.2}, "repetition_penalty=1.2"),
        ({"length_penalty": 0.6}, "length_penalty=0.6"),
        ({"top_p": 2.0, "temperature": 1.0}, "top_p=2.0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(changes, words):
    with pytest.raises(Mistake, match=words):
        Options(**{"max_tokens": 3} | changes)
