"""Every model and every part that `conf/model` offers, tiny and with weights large enough to show a leak."""

import copy
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from lmlab.command.kind.kind import fits
from lmlab.config import parse, without_hydra, without_own
from lmlab.types import Mistake

CONF = Path(__file__).resolve().parents[2] / "conf"
VOCAB = 37
SMALL = {
    "model.dim": 24,
    "model.num_layers": 2,
    "model.dropout": 0.0,
    "model.input_dropout": 0.0,
    "model.output_dropout": 0.0,
    "model.embedding_dropout": 0.0,
    "model.weight_dropout": 0.0,
    "model.attention.num_heads": 4,
    "model.attention.num_kv_heads": 2,
    "model.attention.head_dim": 8,
    "model.buckets": 53,
    "model.feedforward.num_experts": 3,  # so that some token of a few is sent to each
}
"""Set where the option has the key and gives it a value."""

MORE = [  # choices that are keys, not options of a group
    ("model=transformer", "model.norm_first=false", "model.scale_embedding=true"),
    ("model=transformer", "model.attention.num_kv_heads=2", "model.attention.bias=true"),
    ("model=transformer", "model.attention.qk_norm=true", "model.cross_attention.num_kv_heads=1"),
    ("model=transformer", "model.attention.head_dim=10", "model.norm_embedding=true"),
    ("model=transformer", "model/pattern=sliding_window", "model.pattern.window=3"),
    ("model=transformer", "model/pattern=sliding_window", "model.pattern.window=2", "model/position=alibi"),
    ("model=transformer", "model/pattern=local_global", "model.pattern.window=2"),
    ("model=transformer", "model/position=shaw", "model.position.max_distance=2", "model.position.on_values=false"),
    (
        "model=transformer",
        "model/position=shaw",
        "model/attention=general",
        "model/pattern=local_global",
        "model.pattern.window=2",
    ),
    ("model=transformer", "model/attention=linear", "model/position=none", "model.attention.num_kv_heads=2"),
    ("model=transformer", "model/attention=linear", "model/position=sinusoidal", "model.attention.qk_norm=true"),
    ("model=transformer", "model/attention=latent", "model/position=alibi", "model.attention.kv_rank=5"),
    ("model=transformer", "model/attention=latent", "model.attention.query_rank=7", "model.attention.bias=true"),
    ("model=transformer", "model/position/scaling=yarn", "model.position.scaling.original_length=8"),
    (
        "model=transformer",
        "model/attention=latent",
        "model/position/scaling=ntk",
        "model.position.scaling.original_length=8",
    ),
    (
        "model=transformer",
        "model.attention.logit_cap=2.0",
        "model.attention.gate=head",
        "model.cross_attention.backend=plain",
    ),
    (
        "model=transformer",
        "model.attention.sinks=true",
        "model.cross_attention.sinks=true",
        "model.attention.gate=elementwise",
    ),
    ("model=rnn", "model.cell.nonlinearity=relu"),
    ("model=rnn", "model.cell.nonlinearity=sigmoid"),
    ("model=dilated_cnn", "model.kernel_size=4", "model.num_layers=3", "model.max_dilation=2"),
    ("model=cnn", "model.widths=[2,1,6,3,4]"),
    ("model=bag", "model.ngrams=3"),
    ("model=recurrent", "model.input_feeding=true"),
    ("model=recurrent", "model.input_feeding=true", "model/cell=gru", "model/attention@model.cross_attention=additive"),
]

SMALL["model.mixer.chunk_size"] = 4  # so that a few positions are several chunks


ROLES = {
    "decoder": {"causal": True, "memory_dim": None},
    "encoder": {"causal": False, "memory_dim": None},
    "conditional": {"causal": True, "memory_dim": 7},
}
"""What a task may want a model to be, as its constructor is told."""


@cache
def variants() -> dict[str, tuple[str, ...]]:
    """Those of `choices` that differ from each other, by their composed config."""
    found: dict[str, tuple[str, ...]] = {}
    for choice in choices():
        found.setdefault(OmegaConf.to_yaml(composed(choice).model), choice)
    return found


def choices() -> list[tuple[str, ...]]:
    """Each model; each option of each group of parts in each model that has the group; and MORE."""
    found: list[tuple[str, ...]] = []
    for path in sorted((CONF / "model").glob("*.yaml")):
        if fits(path, "vocabulary"):  # vectors of words, no sequences
            continue
        content, *parents = lineage(path.stem)
        if is_size(path.stem) or "seq2seq" in (parents or [content])[-1].get("_target_", ""):
            continue  # another width; or two models, of which test_seq2seq.py makes pairs
        found.append((f"model={path.stem}",))
        if "_target_" not in content:  # a preset: its parent's parts are tested with the parent
            continue
        for key in [key for default in content.get("defaults", []) if isinstance(default, dict) for key in default]:
            group = key.split("@")[0]
            place = f"model/{group}" + (f"@model.{key.split('@')[1]}" if "@" in key else "")
            options = sorted(option.stem for option in (CONF / "model" / group).glob("*.yaml"))
            found += [(f"model={path.stem}", f"{place}={option}") for option in options]
    return found + MORE


def lineage(name: str) -> list[dict[str, Any]]:
    """What the YAML of a model says, its parent's and so on up to the one that names a class."""
    content = yaml.safe_load((CONF / f"model/{name}.yaml").read_text())
    parents = [entry for entry in content.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    return [content] if "_target_" in content else [content, *lineage(parents[0])]


def is_size(name: str) -> bool:
    """Whether it is a preset of a preset that changes numbers alone: the same keys of the same classes in other widths."""
    content, *parents = lineage(name)
    parts = [entry for entry in content.get("defaults", []) if isinstance(entry, dict)]
    values = leaves({key: value for key, value in content.items() if key != "defaults"})
    return len(parents) > 1 and not parts and all(type(value) in (int, float) for value in values)


def leaves(block: Any) -> list[Any]:
    """The values of a block, however deep."""
    return [one for value in block.values() for one in leaves(value)] if isinstance(block, dict) else [block]


@cache
def refusal(choice: tuple[str, ...], role: str) -> str | None:
    """Why the model cannot fill the role, in its constructor's words; None where it can. Nothing is computed."""
    try:
        with torch.device("meta"):
            factory(choice)(vocab_size=VOCAB, **ROLES[role])
    except Mistake as mistake:
        return str(mistake)
    return None


@cache
def factory(choice: tuple[str, ...]) -> Callable[..., torch.nn.Module]:
    """What builds the model, for its shapes only: its parts are made once."""
    made: Callable[..., torch.nn.Module] = instantiate(composed(choice).model, _convert_="all")
    return made


def filling(role: str) -> list[tuple[str, ...]]:
    """The variants that fill a role; those that differ in the attention to a memory only where there is one."""
    chosen = [one for one in variants().values() if refusal(one, role) is None]
    return [one for one in chosen if role == "conditional" or not any("cross_attention=" in key for key in one)]


def cases(roles: Sequence[str], *, first: bool = False) -> list[tuple[tuple[str, ...], str]]:
    """Each variant with each of these roles that it fills, or with the first of them."""
    found = [(choice, role) for role in roles for choice in filling(role)]
    if not first:
        return found
    return list({choice: (choice, role) for choice, role in reversed(found)}.values())[::-1]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Laws name what they hold: `decoder`, `encoder` or `reader` (which reads a memory) are the variants that can be one.

    `choice` comes with what its constructor is told: `role` is each that it fills, `alone` each without a memory, `first`
    the first without one, `most` the one with most parts.
    """
    names = metafunc.fixturenames
    for name, role in {"decoder": "decoder", "encoder": "encoder", "reader": "conditional"}.items():
        if name in names:
            metafunc.parametrize(name, filling(role), ids=" ".join)
    for name, found in FOUND.items():
        if name in names and "choice" in names:
            made = [pytest.param(one, ROLES[role], id=f"{' '.join(one)}-{role}") for one, role in found()]
            metafunc.parametrize(("choice", name), made)


FOUND = {
    "role": partial(cases, tuple(ROLES)),
    "alone": partial(cases, ("decoder", "encoder")),
    "first": partial(cases, ("decoder", "encoder"), first=True),
    "most": partial(cases, ("conditional", "decoder", "encoder"), first=True),
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # tiny tensors: threads only wait for each other


@cache
def composed(overrides: tuple[str, ...]) -> DictConfig:
    """The model's part of the config, made small where it has the keys to make it so."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        first, *rest = overrides
        config = without_hydra(None, parse([f"+{first}", "+batch.seq_len=32", *rest]))
    without_own(config.model, "model")
    typed = {override.split("=")[0] for override in overrides}
    for key, value in SMALL.items():
        if key not in typed and OmegaConf.select(config, key) is not None:
            OmegaConf.update(config, key, value)
    return config


@pytest.fixture
def build() -> Callable[..., torch.nn.Module]:
    def make(
        overrides: Sequence[str], *, causal: bool = True, memory_dim: int | None = None, noisy: bool = True
    ) -> torch.nn.Module:
        made = built(tuple(overrides), causal, memory_dim, noisy)
        torch.manual_seed(0)
        return copy.deepcopy(made)

    return make


@cache
def built(overrides: tuple[str, ...], causal: bool, memory_dim: int | None, noisy: bool) -> torch.nn.Module:
    """A model that is made once, to be copied by each test."""
    torch.manual_seed(0)
    model = instantiate(composed(overrides).model, _convert_="all")(
        vocab_size=VOCAB, causal=causal, memory_dim=memory_dim
    )
    size = 0.15 if "model/norm=none" in overrides else 0.3  # without a norm, states would grow into the hundreds
    with torch.no_grad():
        for parameter in model.parameters() if noisy else ():
            noise = torch.randn_like(parameter)
            parameter.copy_(size * noise if parameter.ndim > 1 else parameter + 0.1 * noise)
    return model.eval()


@pytest.fixture(scope="session")
def refusals() -> dict[tuple[tuple[str, ...], str], str]:
    """The sentence of each variant and role that do not go together."""
    found = {(choice, role): refusal(choice, role) for choice in variants().values() for role in ROLES}
    return {case: sentence for case, sentence in found.items() if sentence is not None}


@pytest.fixture(scope="session")
def filled(refusals: dict[tuple[tuple[str, ...], str], str]) -> dict[tuple[str, ...], set[str]]:
    """The roles that each variant fills."""
    return {choice: {role for role in ROLES if (choice, role) not in refusals} for choice in variants().values()}
