"""Decoding with a state equals decoding by encoding everything anew, for every model of conf/model."""

from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from lmlab import config as configuration
from lmlab.command.kind.kind import fits
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
    """What builds the model, tiny."""
    config = configuration.compose([f"model={name}"])
    for key, value in SMALL.items():
        if OmegaConf.select(config, key) is not None:
            OmegaConf.update(config, key, value)
    return configuration.build(config, "model")


def is_size(name):
    """Whether it is a preset that changes only values of another preset."""
    content = yaml.safe_load((CONF / f"model/{name}.yaml").read_text())
    parent = next((entry for entry in content.get("defaults", []) if isinstance(entry, str)), "_self_")
    has_parts = any(isinstance(entry, dict) for entry in content.get("defaults", []))
    return not has_parts and parent != "_self_" and "_target_" not in (CONF / f"model/{parent}.yaml").read_text()


NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml") if fits(path, "vocab_size"))


@pytest.fixture(params=[name for name in NAMES if not is_size(name)])
def name(request):
    """Each model that writes on its own, without a source to read."""
    try:
        with torch.device("meta"):
            small(request.param)(vocab_size=VOCAB, causal=True)(torch.zeros(1, 2, dtype=torch.long))
    except Mistake as mistake:
        pytest.skip(str(mistake))
    return request.param


@cache
def build(name):
    torch.manual_seed(0)
    model = small(name)(vocab_size=VOCAB, causal=True)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def head_of(model):
    table = torch.randn(VOCAB, model.dim, generator=torch.Generator().manual_seed(2))
    return lambda states: states @ table.T


def test_greedy_with_a_state_equals_greedy_by_encoding_everything_anew(name):
    model, ids = build(name), torch.randint(0, VOCAB, (3, 5), generator=torch.Generator().manual_seed(1))
    head = head_of(model)
    new = generate(model, head, ids, max_tokens=12, choose=greedy(), context_size=None, eos=None, seed=0)
    with torch.no_grad():
        for _ in range(12):
            token = head(model(ids).states[:, -1]).argmax(-1)
            ids = torch.cat([ids, token[:, None]], dim=1)
    assert torch.equal(new, ids[:, 5:])
    assert len(set(new.flatten().tolist())) > 3


def test_a_text_longer_than_the_context_goes_on(name):
    model, ids = build(name), torch.randint(0, VOCAB, (2, 9), generator=torch.Generator().manual_seed(1))
    options = {"choose": chooser(temperature=1.0), "context_size": 8, "eos": None, "seed": 3}
    new = generate(model, head_of(model), ids, max_tokens=30, **options)
    assert new.shape == (2, 30)
    assert torch.equal(generate(model, head_of(model), ids, max_tokens=30, **options), new)
