"""Decoding with a state equals decoding by encoding everything anew, for every model of conf/model."""

from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from lmlab import config as configuration
from lmlab.command.kind.kind import fits
from lmlab.decoding.beam import search
from lmlab.decoding.loop import generate
from lmlab.decoding.sample import chooser, greedy
from lmlab.types import Mistake

CONF = Path(__file__).resolve().parents[2] / "conf"
VOCAB = 37
SMALL = {
    "model.dim": 24, "model.num_layers": 2, "model.attention.num_heads": 4, "model.attention.num_kv_heads": 2,
    "model.attention.head_dim": 8,
}  # fmt: skip


@cache
def small(name):
    """What builds the model, tiny; further choices may stand behind its name."""
    config = configuration.compose(f"model={name}".split())
    for key, value in SMALL.items():
        if OmegaConf.select(config, key) is not None:
            OmegaConf.update(config, key, value)
    return configuration.build(config, "model")


def is_decoder(name):
    """Whether the model writes on its own, without a source to read."""
    try:
        with torch.device("meta"):
            small(name)(vocab_size=VOCAB, causal=True)(torch.zeros(1, 2, dtype=torch.long))
    except Mistake:
        return False
    return True


def is_size(name):
    """Whether it is a preset that changes only values of another preset."""
    content = yaml.safe_load((CONF / f"model/{name}.yaml").read_text())
    parent = next((entry for entry in content.get("defaults", []) if isinstance(entry, str)), "_self_")
    has_parts = any(isinstance(entry, dict) for entry in content.get("defaults", []))
    return not has_parts and parent != "_self_" and "_target_" not in (CONF / f"model/{parent}.yaml").read_text()


NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml") if fits(path, "vocab_size"))
every_model = pytest.mark.parametrize("name", [name for name in NAMES if not is_size(name) and is_decoder(name)])


PARTS = [
    *(f"transformer model/position={path.stem}" for path in sorted((CONF / "model/position").glob("*.yaml"))),
    *(f"transformer model/attention={name}" for name in ("additive", "cosine", "latent")),
    "transformer model/attention=linear model/position=rotary",
    "transformer model/pattern=sliding_window model.pattern.window=3",
    "transformer model/feedforward=experts",
    "lstm model.num_layers=1",
]
PAIRS = [
    "seq2seq",
    "seq2seq model/encoder=transformer model/decoder=transformer",
    "seq2seq model/encoder=gru model/decoder=mamba2",
    "seq2seq model/decoder=dilated_cnn",
    "transformer_base",
    "t5_small",
    "bahdanau2015",
    "luong2015",
    "sutskever2014",
]
"""Encoders with decoders, by the ways in which one reads the other."""

PADDED = torch.tensor([[0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0, 1, 1, 1, 1]])


@cache
def build(name):
    torch.manual_seed(0)
    model = small(name)(vocab_size=VOCAB, causal=True)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def ids(batch, time, seed=1):
    return torch.randint(0, VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))


def head_of(model):
    table = torch.randn(VOCAB, model.dim, generator=torch.Generator().manual_seed(2))
    return lambda states: states @ table.T


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)  # tiny tensors: threads only wait for each other


@every_model
def test_greedy_with_a_state_equals_greedy_by_encoding_everything_anew(name):
    model, text = build(name), ids(3, 5)
    head = head_of(model)
    new = generate(model, head, text, max_tokens=12, choose=greedy(), context_size=None, eos=None, seed=0)
    with torch.no_grad():
        for _ in range(12):
            token = head(model(text).states[:, -1]).argmax(-1)
            text = torch.cat([text, token[:, None]], dim=1)
    assert torch.equal(new, text[:, 5:])
    assert len(set(new.flatten().tolist())) > 3


@every_model
def test_a_text_longer_than_the_context_goes_on(name):
    model, text = build(name), ids(2, 9)
    options = {"choose": chooser(temperature=1.0), "context_size": 8, "eos": None, "seed": 3}
    new = generate(model, head_of(model), text, max_tokens=30, **options)
    assert new.shape == (2, 30)
    assert torch.equal(generate(model, head_of(model), text, max_tokens=30, **options), new)


def written(model, prompt, document, memory=None, **options):
    """Greedy rows up to the first `<eos>`."""
    options = {"max_tokens": 14, "context_size": None, "eos": 3, "seed": 0} | options
    choose = chooser(temperature=0.0, repetition_penalty=2.0)  # so that rows do not go round in circles
    new = generate(model, head_of(model), prompt, choose=choose, memory=memory, document=document, **options)
    return [row[: row.index(3) + 1] if 3 in row else row for row in new.tolist()]


def searched(model, prompt, document, memory=None, **options):
    """Of each row the two best of three beams; one beam is greedy."""
    options = {"max_tokens": 6, "context_size": None, "eos": 3, "memory": memory, "document": document} | options
    best = search(model, head_of(model), prompt, num_beams=1, **options)
    new = generate(model, head_of(model), prompt, choose=greedy(), seed=0, **options).tolist()
    assert [row[0].ids for row in best] == [row[: row.index(3)] if 3 in row else row for row in new]
    return [
        [one.ids for one in row] for row in search(model, head_of(model), prompt, num_beams=3, num_best=2, **options)
    ]


def alone(write, model, row, memory=None, **options):
    """What a row of PADDED writes by itself, without padding."""
    return write(model, ids(4, 5)[row : row + 1, PADDED[row] == 1], None, memory, **options)[0]


@pytest.mark.parametrize("name", [name for name in NAMES if not is_size(name) and is_decoder(name)] + PARTS)
@pytest.mark.parametrize("write", [written, searched])
def test_a_row_of_a_padded_batch_is_the_same_alone(name, write):
    model = build(name)
    for context_size in (None, 8) if model.state_grows else (None,):
        together = write(model, ids(4, 5), PADDED, context_size=context_size)
        assert together == [alone(write, model, row, context_size=context_size) for row in range(4)]
        assert len({str(row) for row in together}) > 1


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("write", [written, searched])
def test_a_row_of_a_padded_batch_with_padded_sources_is_the_same_alone(name, write):
    model, source = build(name), ids(4, 6, seed=5)
    source_document = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])
    together = write(model, ids(4, 5), PADDED, model.encode(source, source_document))
    for row in range(4):
        memory = model.encode(source[row : row + 1, source_document[row] == 1])
        assert together[row] == alone(write, model, row, memory)
    assert len({str(row) for row in together}) > 1
