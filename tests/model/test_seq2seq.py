"""Pairs of an encoder and a decoder: the laws, the papers' equations, what is shared and what is refused."""

import copy
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lmlab import config as configuration
from lmlab import values
from lmlab.budget.parameters import count
from lmlab.command.kind.kind import fits
from lmlab.command.size import fix_size, on_meta
from lmlab.decoding.loop import generate
from lmlab.decoding.sample import greedy
from lmlab.types import Conditional, Memory, Mistake

CONF = Path(__file__).resolve().parents[2] / "conf"
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
VOCAB = 13
TINY = ("model.dim=16", "model.num_layers=2", "model.dropout=0.0")
MODELS = {path.stem: path.read_text() for path in sorted((CONF / "model").glob("*.yaml")) if fits(path, "vocab_size")}
FAMILIES = [name for name, text in MODELS.items() if "_target_" in text]
PAIRS = [name for name, text in MODELS.items() if re.search(r"^  - seq2seq$", text, re.MULTILINE)]
STARTS = sorted(path.stem for path in (CONF / "model/start").glob("*.yaml"))
CHOICES = [
    *(("model=seq2seq", f"model/encoder={name}") for name in FAMILIES),
    *(("model=seq2seq", f"model/decoder={name}") for name in FAMILIES),
    *((f"model={name}",) for name in PAIRS),
    *(("model=seq2seq", f"model/start={name}") for name in STARTS),
    ("model=seq2seq", "model/cross_attention=none", "model.reverse_source=true"),
    ("model=seq2seq", "model/encoder=transformer", "model/decoder=transformer", "model.tie_embeddings=true"),
    ("model=seq2seq", "model/encoder=transformer", "model.causal_encoder=true", "model/start=projection"),
    ("model=luong2015", "model/cross_attention=local", "model/cross_attention/score=dot"),
]


@cache
def composed(*choice):
    """The choice made tiny, its values checked."""
    typed = {word.split("=")[0] for word in choice}
    config = configuration.compose([*choice, *(key for key in TINY if key.split("=")[0] not in typed)])
    values.check(config)
    for part in ("encoder.attention", "decoder.attention", "cross_attention"):
        if OmegaConf.select(config, f"model.{part}.head_dim") is not None:
            config.model = OmegaConf.merge(
                config.model, OmegaConf.from_dotlist([f"{part}.num_heads=2", f"{part}.head_dim=8"])
            )
    return config


def make(*choice, source_vocab_size=None):
    made = built(*choice, source_vocab_size=source_vocab_size)
    torch.manual_seed(0)
    return copy.deepcopy(made)


@cache
def built(*choice, source_vocab_size):
    """A model that is made once, to be copied by each test."""
    config = composed(*choice)
    torch.manual_seed(0)
    model = configuration.build(config, "model")(vocab_size=VOCAB, causal=True, source_vocab_size=source_vocab_size)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(0.3 * noise if parameter.ndim > 1 else parameter + 0.1 * noise)
    return model.eval()


@pytest.fixture(params=CHOICES, ids=" ".join)
def choice(request):
    """Each choice that can be built: an encoder alone is no decoder, and the other way round."""
    try:
        with torch.device("meta"):
            configuration.build(composed(*request.param), "model")(vocab_size=VOCAB, causal=True)
    except Mistake as mistake:
        pytest.skip(str(mistake))
    return request.param


def ids(batch, time, seed=1):
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))


def test_one_token_at_a_time_with_a_state_equals_one_pass_whatever_is_padded(choice):
    model = make(*choice)
    source, inputs = ids(3, 5), ids(3, 6, seed=2)
    source_document = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 1, 1]])
    document = torch.tensor([[1] * 6, [1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1]])
    whole = model.of_pair(source, inputs, source_document, document).states
    memory, state, states = model.encode(source, source_document), None, []
    for time in range(6):
        output = model(inputs[:, time : time + 1], document[:, time : time + 1], memory, state)
        state = output.state
        states.append(output.states)
    torch.testing.assert_close(torch.cat(states, dim=1)[document != 0], whole[document != 0], **CLOSE)
    for row in range(3):
        alone = model.of_pair(
            source[row : row + 1, source_document[row] != 0], inputs[row : row + 1, document[row] != 0]
        )
        torch.testing.assert_close(whole[row, document[row] != 0], alone.states[0], **CLOSE)


def test_every_parameter_learns_and_the_source_matters_but_no_later_target(choice):
    model = make(*choice)
    source, inputs = ids(2, 5), ids(2, 6, seed=2)
    states = model.of_pair(source, inputs).states
    states.mul(torch.randn_like(states)).sum().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    with torch.no_grad():
        states = model.of_pair(source, inputs).states
        changed = source.clone()
        changed[:, 2] = (changed[:, 2] + 1) % VOCAB
        assert (model.of_pair(changed, inputs).states - states)[:, 1].abs().max() > 1e-4
        changed = inputs.clone()
        changed[:, 3] = (changed[:, 3] + 1) % VOCAB
        torch.testing.assert_close(model.of_pair(source, changed).states[:, :3], states[:, :3], atol=0, rtol=0)


def test_it_is_decoded_like_any_model_with_a_state(choice):
    model, source, start = make(*choice), ids(2, 5), ids(2, 1, seed=3)
    assert isinstance(model, Conditional)
    table = torch.randn(VOCAB, model.dim, generator=torch.Generator().manual_seed(2))
    options = {"max_tokens": 6, "choose": greedy(), "context_size": None, "eos": None, "seed": 0}
    new = generate(model, lambda states: states @ table.T, start, memory=model.encode(source), **options)
    inputs = torch.cat((start, new), dim=1)[:, :-1]
    with torch.no_grad():
        assert torch.equal((model.of_pair(source, inputs).states @ table.T).argmax(-1), new)


def test_packed_targets_read_the_source_of_their_number():
    model = make("model=seq2seq", "model/decoder=transformer")
    source, inputs = ids(1, 7), ids(1, 6, seed=2)
    source_document, document = torch.tensor([[1, 1, 1, 2, 2, 2, 2]]), torch.tensor([[1, 1, 2, 2, 2, 0]])
    states = model.of_pair(source, inputs, source_document, document).states
    for number in (1, 2):
        own = document == number
        alone = model.of_pair(source[source_document == number][None], inputs[own][None]).states
        torch.testing.assert_close(states[own][None], alone, **CLOSE)
    with pytest.raises(Mistake, match="takes one source in a row"):
        make("model=seq2seq", "model/cross_attention=none").of_pair(source, inputs, source_document, document)


def test_a_reversed_source_is_read_from_its_end_and_remembered_in_its_order():
    model, turned = make("model=seq2seq"), make("model=seq2seq", "model.reverse_source=true")
    turned.load_state_dict(model.state_dict())
    source, document = ids(2, 5), torch.tensor([[1, 1, 1, 0, 0], [1] * 5])
    memory = turned.encode(source, document)
    assert torch.equal(memory.document, document)
    torch.testing.assert_close(memory.states[1], model.encode(source[1:].flip(1)).states[0].flip(0), **CLOSE)
    torch.testing.assert_close(memory.states[0, :3], model.encode(source[:1, :3].flip(1)).states[0].flip(0), **CLOSE)


# What is shared.


def test_nothing_is_shared_but_what_is_tied():
    model = make("model=seq2seq", source_vocab_size=7)
    assert (model.source_embedding.num_embeddings, model.embedding.num_embeddings) == (7, VOCAB)
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    assert len(names) == len(list(model.parameters()))
    tied = make("model=seq2seq", "model.tie_embeddings=true")
    assert tied.source_embedding.weight is tied.embedding.weight
    names = [name for name, _ in tied.named_parameters(remove_duplicate=False)]
    assert len(names) == len(list(tied.parameters())) + 1


def test_a_head_shares_the_embedding_of_both_sides():
    choice = ("model=seq2seq", "model.tie_embeddings=true")
    model = make(*choice)
    head = configuration.build(composed(*choice), "head")(dim=model.dim, vocab_size=VOCAB, embedding=model.embedding)
    assert head.output.weight is model.encoder.embedding.weight


# What is refused.


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (
            ["model/cross_attention=none", "model/decoder=transformer"],
            "choose a recurrent one, such as model/decoder=lstm",
        ),
        (
            ["model/cross_attention=none", "model/encoder=transformer"],
            "choose a recurrent one, such as model/encoder=lstm",
        ),
        (
            ["model/cross_attention=none", "model/encoder=gru"],
            "2 layers, 16 wide.* cannot start .*2 layers, 16 and 16 wide",
        ),
        (["model/start=last", "model.encoder.num_layers=1"], "1 layer, 16 and 16 wide"),
        (["model/start=projection", "model/decoder=transformer"], "such as model/decoder=gru"),
        (["model/encoder=seq2seq"], "a source of its own"),
        (["model/decoder=seq2seq"], "a source of its own"),
        (["model/encoder=aligned"], "model=aligned is a decoder"),
        (["model/cross_attention=none", "model/decoder=aligned", "model/encoder=gru", "model/start=last"], "aligned"),
        (["model.encoder.input_feeding=true"], "here is none"),
        (["model.tie_embeddings=true", "model.encoder.dim=8"], "13 x 8 and the decoder's 13 x 16"),
        (["model.encoder.params=1M"], r"model\.params"),
        (["model.cross_attention.num_heads=3"], r"model\.cross_attention\.num_heads=3"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(choice, sentence):
    with pytest.raises(Mistake, match=sentence) as refused:
        make("model=seq2seq", *choice)
    assert "\n" not in str(refused.value)


def test_a_tie_of_two_vocabularies_is_refused():
    with pytest.raises(Mistake, match=r"set model\.tie_embeddings=false"):
        make("model=seq2seq", "model.tie_embeddings=true", source_vocab_size=7)


def test_a_task_without_a_source_is_refused():
    with pytest.raises(Mistake, match="a task with a source and a target"):
        make("model=seq2seq")(ids(2, 3))


# The papers' equations, by hand.


def test_sutskever_2014_is_one_lstm_that_goes_on_from_the_other():
    model = make("model=sutskever2014")
    source, inputs = ids(2, 5), ids(2, 4, seed=2)

    def stacked(side):
        lstm = nn.LSTM(16, 16, num_layers=2, batch_first=True)
        for number, layer in enumerate(side.layers):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(lstm, f"{name}_l{number}").data = getattr(layer.cell.lstm, f"{name}_l0").data
        return lstm

    _, last = stacked(model.encoder)(model.encoder.embedding(source.flip(1)))
    states, _ = stacked(model.decoder)(model.decoder.embedding(inputs), last)
    torch.testing.assert_close(model.of_pair(source, inputs).states, states, **CLOSE)


def projections(attention):
    """W_Q, W_K, W_V and W_O of one head."""
    key, value = attention.heads.key_value.weight.chunk(2)
    return attention.heads.query.weight, key, value, attention.heads.output.weight


def test_bahdanau_2015_aligns_by_the_state_before_each_step():
    model = make("model=bahdanau2015", "model.num_layers=1")
    source, inputs = ids(1, 5), ids(1, 4, seed=2)
    memory, decoder = model.encoder(source).states[0], model.decoder
    query, key, value, output = projections(decoder.attention)
    v, cell = decoder.attention.score[0, :, 0], decoder.layers[0].cell.gru
    u, e, c = decoder.readout.weight.split(16, dim=1)
    state = torch.tanh(model.start.project.weight @ memory[0, 8:])
    for time in range(4):
        scores = torch.stack([v @ torch.tanh(query @ state + key @ h) for h in memory])  # a(s_(i-1), h_j)
        context = output @ value @ (scores.softmax(0) @ memory)  # c_i
        word = decoder.embedding(inputs[0, time])
        both = u @ state + e @ word + c @ context + decoder.readout.bias
        expected = torch.stack([both[2 * unit : 2 * unit + 2].max() for unit in range(16)])
        got = model.of_pair(source, inputs).states[0, time]
        torch.testing.assert_close(got, expected, **CLOSE)
        state = cell(torch.cat((word, context))[None], state[None])[1][0]


SCORES = {
    "dot": lambda a, q, k: q @ k,
    "general": lambda a, q, k: q @ a.weight[0] @ k,
    "concat": lambda a, q, k: a.score[0, :, 0] @ torch.tanh(a.weight[0].T @ torch.cat((q, k))),
}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("input_feeding", ["true", "false"])
def test_luong_2015_attends_from_the_top_state_and_feeds_what_it_made(score, input_feeding):
    model = make("model=luong2015", f"model/cross_attention={score}", f"model.decoder.input_feeding={input_feeding}")
    source, inputs = ids(1, 5), ids(1, 4, seed=2)
    encoded = model.encode(source)
    memory, decoder = encoded.states[0], model.decoder
    attention = decoder.reader.attention
    query, key, value, output = projections(attention)
    states, fed = list(encoded.state[0]), torch.zeros(16)
    got = model.of_pair(source, inputs, with_attention=True)
    for time in range(4):
        step = decoder.embedding(inputs[0, time])
        step = torch.cat((step, fed)) if input_feeding == "true" else step
        for number, layer in enumerate(decoder.layers):
            hidden, cell = states[number]
            _, (hidden, cell) = layer.cell.lstm(step[None, None], (hidden[None], cell[None]))
            states[number], step = (hidden[0], cell[0]), hidden[0, 0]
        weights = torch.stack([SCORES[score](attention, query @ step, key @ h) for h in memory]).softmax(0)  # eq. 7, 8
        context = output @ value @ (weights @ memory)
        fed = torch.tanh(decoder.reader.combine.weight @ torch.cat((context, step)))  # eq. 5
        torch.testing.assert_close(got.states[0, time], fed, **CLOSE)
        torch.testing.assert_close(got.extras.cross_attention[0][0, 0, time], weights, **CLOSE)


def test_the_first_place_of_a_padded_source_starts_the_decoder():
    model = make("model=bahdanau2015")
    source, document = ids(2, 5), torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 0]])
    memory = model.encode(source, document)
    started = model.start(memory)[0][0]
    torch.testing.assert_close(started[0], model.start(Memory(memory.states[:1, 2:]))[0][0][0], **CLOSE)
    torch.testing.assert_close(started[1], model.start(Memory(memory.states[1:]))[0][0][0], **CLOSE)


@pytest.mark.parametrize("sides", ["lstm", "transformer"])
def test_a_number_of_parameters_sets_the_width_of_both_sides(sides):
    config = configuration.compose(
        ["model=seq2seq", f"model/encoder={sides}", f"model/decoder={sides}", "model.params=500k", "model.num_layers=1"]
    )
    fix_size(config, 200)
    assert config.model.encoder.dim == config.model.decoder.dim == config.model.dim
    assert abs(count(on_meta(config, 200)) / 500_000 - 1) < 0.01
