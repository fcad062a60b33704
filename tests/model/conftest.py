"""Every model and every part that `conf/model` offers, tiny and with weights large enough to show a leak."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from lmlab.config import NOT_FOR_CONSTRUCTOR

CONF = Path(__file__).resolve().parents[2] / "conf"
VOCAB = 37
SMALL = {
    "model.dim": 24, "model.num_layers": 2, "model.dropout": 0.0, "model.attention.num_heads": 4,
    "model.attention.num_kv_heads": 2, "model.attention.head_dim": 8,
}  # fmt: skip
"""Set where the option has the key and gives it a value."""

MORE = [  # choices that are keys, not options of a group
    ("model=transformer", "model.norm_first=false", "model.scale_embedding=true"),
    ("model=transformer", "model.attention.num_kv_heads=2", "model.attention.bias=true"),
    ("model=transformer", "model.attention.qk_norm=true", "model.cross_attention.num_kv_heads=1"),
    ("model=transformer", "model.attention.head_dim=10", "model.norm_embedding=true"),
    ("model=transformer", "model/pattern=sliding_window", "model.pattern.window=3"),
    ("model=transformer", "model/pattern=sliding_window", "model.pattern.window=2", "model/position=alibi"),
    ("model=transformer", "model/pattern=local_global", "model.pattern.window=2"),
    ("model=rnn", "model.cell.nonlinearity=relu"),
    ("model=rnn", "model.cell.nonlinearity=sigmoid"),
]


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
        found.append((f"model={path.stem}",))
        content = yaml.safe_load(path.read_text())
        if "_target_" not in content:  # a preset: its parent's parts are tested with the parent
            continue
        for key in [key for default in content.get("defaults", []) if isinstance(default, dict) for key in default]:
            group = key.split("@")[0]
            place = f"model/{group}" + (f"@model.{key.split('@')[1]}" if "@" in key else "")
            options = sorted(option.stem for option in (CONF / "model" / group).glob("*.yaml"))
            found += [(f"model={path.stem}", f"{place}={option}") for option in options]
    return found + MORE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "reader" in metafunc.fixturenames:  # all, in the role that reads a memory
        metafunc.parametrize("reader", variants().values(), ids=" ".join)
    if "variant" in metafunc.fixturenames:  # all that differ without a memory
        chosen = [choice for choice in variants().values() if not any("cross_attention=" in key for key in choice)]
        metafunc.parametrize("variant", chosen, ids=" ".join)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # tiny tensors: threads only wait for each other


@cache
def composed(overrides: tuple[str, ...]) -> DictConfig:
    """The model's part of the config, made small where it has the keys to make it so."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        first, *rest = overrides
        config = compose(None, overrides=[f"+{first}", "+batch.seq_len=32", *rest])
    with open_dict(config):
        for key in NOT_FOR_CONSTRUCTOR["model"]:
            config.model.pop(key, None)
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
        torch.manual_seed(0)
        config = composed(tuple(overrides))
        model = instantiate(config.model, _convert_="all")(vocab_size=VOCAB, causal=causal, memory_dim=memory_dim)
        with torch.no_grad():
            for parameter in model.parameters() if noisy else ():
                noise = torch.randn_like(parameter)
                parameter.copy_(0.3 * noise if parameter.ndim > 1 else parameter + 0.1 * noise)
        return model.eval()

    return make
