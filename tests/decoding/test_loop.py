import pytest
import torch
from torch import nn

from lmlab.decoding.loop import generate, stream, uniform
from lmlab.decoding.sample import chooser, greedy
from lmlab.types import Mistake, Output

VOCAB, DIM = 13, 8


class Recurrent(nn.Module):
    """A model whose state has a constant size; counts the tokens that it has read."""

    dim, causal, state_grows = DIM, True, False

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, DIM)
        self.layer = nn.GRU(DIM, DIM, batch_first=True)
        self.read = 0

    def forward(self, inputs, document=None, memory=None, state=None):
        self.read += inputs.shape[1]
        states, state = self.layer(
            self.embedding(inputs), None if state is None else state.transpose(0, 1).contiguous()
        )
        return Output(states=states, state=state.transpose(0, 1))  # batch first


class Growing(nn.Module):
    """A model whose state is all embeddings so far: a mean over them, with positions that end."""

    dim, causal, state_grows = DIM, True, True

    def __init__(self, context_size):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, DIM)
        self.position = nn.Embedding(context_size, DIM)
        self.longest = 0

    def forward(self, inputs, document=None, memory=None, state=None):
        before = 0 if state is None else state.shape[1]
        place = torch.arange(before, before + inputs.shape[1])
        new = self.embedding(inputs) + self.position(place)
        state = new if state is None else torch.cat([state, new], dim=1)
        self.longest = max(self.longest, state.shape[1])
        means = state.cumsum(1) / torch.arange(1, state.shape[1] + 1)[:, None]
        return Output(states=means[:, before:].sin(), state=state)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(3)


def head_for(model):
    return lambda states: 5 * states @ model.embedding.weight.T


def options(**changes):
    return {
        "max_tokens": 9,
        "choose": chooser(temperature=1.0, top_p=0.9),
        "context_size": None,
        "eos": None,
        "seed": 7,
    } | changes


def prompt(batch=3, time=5):
    return torch.randint(0, VOCAB, (batch, time))


@pytest.mark.parametrize("make", [Recurrent, lambda: Growing(20)])
def test_greedy_with_a_state_equals_greedy_by_encoding_everything_anew(make):
    model, ids = make().eval(), prompt()
    new = generate(model, head_for(model), ids, **options(choose=greedy()))
    for _ in range(9):
        logits = head_for(model)(model(ids).states[:, -1])
        ids = torch.cat([ids, logits.argmax(-1)[:, None]], dim=1)
    assert torch.equal(new, ids[:, 5:])


def test_each_token_is_read_once():
    model = Recurrent().eval()
    generate(model, head_for(model), prompt(), **options())
    assert model.read == 5 + 9 - 1


def test_streamed_and_collected_tokens_agree_and_global_randomness_does_not_matter():
    model, ids = Recurrent().eval(), prompt()
    whole = generate(model, head_for(model), ids, **options())
    streamed = []
    for token in stream(model, head_for(model), ids, **options()):
        streamed.append(token)
        torch.rand(17)
    assert torch.equal(torch.stack(streamed, 1), whole)


def test_another_seed_gives_another_text():
    model, ids = Recurrent().eval(), prompt()
    texts = {tuple(generate(model, head_for(model), ids, **options(seed=seed))[0].tolist()) for seed in range(5)}
    assert len(texts) > 1


def test_first_tokens_do_not_depend_on_how_many_follow():
    model, ids = Recurrent().eval(), prompt()
    long = generate(model, head_for(model), ids, **options())
    assert torch.equal(generate(model, head_for(model), ids, **options(max_tokens=4)), long[:, :4])


def test_a_row_is_the_same_alone_and_as_the_first_of_a_batch():
    model, ids = Recurrent().eval(), prompt()
    together = generate(model, head_for(model), ids, **options())
    assert torch.equal(generate(model, head_for(model), ids[:1], **options()), together[:1])


@pytest.mark.parametrize("context_size", [1, 2, 5, 7])
def test_a_full_context_is_encoded_anew_from_its_newest_half(context_size):
    model, ids = Growing(context_size).eval(), prompt()
    new = generate(model, head_for(model), ids, **options(choose=greedy(), context_size=context_size, max_tokens=20))
    assert model.longest == context_size
    window = ids[:, -context_size:]
    for index in range(20):
        token = head_for(model)(model(window).states[:, -1]).argmax(-1)
        assert torch.equal(token, new[:, index])
        full = window.shape[1] == context_size
        window = torch.cat([window, token[:, None]], dim=1)[:, -max(1, context_size // 2) if full else 0 :]


def test_a_finished_row_repeats_eos_and_all_finished_stops():
    model, ids = Recurrent().eval(), prompt()
    free = generate(model, head_for(model), ids, **options())
    eos = int(free[0, 2])
    ended = generate(model, head_for(model), ids, **options(eos=eos, max_tokens=200))
    assert ended.shape[1] < 200
    for row in ended.tolist():
        first = row.index(eos)
        assert set(row[first:]) == {eos}
    assert ended[0, :3].tolist() == free[0, :3].tolist()


def test_no_tokens_asked_for_gives_none():
    model = Recurrent().eval()
    assert generate(model, head_for(model), prompt(), **options(max_tokens=0)).shape == (3, 0)


@pytest.mark.parametrize("document", [[[1, 0], [1, 1]], [[0, 0], [1, 1]], [[1, 2], [1, 1]]])
def test_padding_that_does_not_stand_before_a_text_is_refused(document):
    model = Recurrent().eval()
    with pytest.raises(AssertionError, match="stands before the text"):
        generate(model, head_for(model), prompt(2, 2), **options(document=torch.tensor(document)))


def test_an_empty_prompt_is_refused():
    model = Recurrent().eval()
    with pytest.raises(Mistake, match="prompt is empty"):
        generate(model, head_for(model), prompt(time=0), **options())


def test_the_consumer_of_a_stream_is_outside_of_inference_mode():
    model = Recurrent().eval()
    for _ in stream(model, head_for(model), prompt(), **options()):
        assert not torch.is_inference_mode_enabled()


def test_random_numbers_are_uniform_and_their_counters_do_not_overlap():
    numbers = torch.stack([uniform(5, index, 64) for index in range(64)])
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.02
    assert len(set(numbers.flatten().tolist())) > 4090
    assert torch.equal(uniform(5, 3, 2), uniform(5, 3, 64)[:2])
