"""What the options of a model's group can do, found by building each on the meta device: the roles it fills, its parameters."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, open_dict
from torch import nn

from lmlab import config as configuration
from lmlab import tree
from lmlab.budget.parameters import count
from lmlab.budget.shapes import shapes_only
from lmlab.command.kind.kind import takes
from lmlab.command.kind.words import unnamed
from lmlab.types import Conditional, Mistake

ROLES: dict[str, dict[str, Any]] = {
    "decoder": {"causal": True},
    "encoder": {"causal": False},
    "conditional decoder": {"causal": True, "memory_dim": 64},
}
"""What a task may want a model to be, as its constructor is told."""

HOSTS = ("transformer", "recurrent")
"""The models in which a part is looked at, if they have a place for it; else the first that has."""


@dataclass(frozen=True)
class Facts:
    """Of one option."""

    roles: tuple[str, ...]
    parameters: int | None
    """None where it fills no role as it stands."""


def facts(group: str) -> tuple[dict[str, Facts], str]:
    """Of every option of `model` or a group below it; and what parameters are counted."""
    page = configuration.compose([])
    options = tree.groups()[group]
    if group == "model":
        counted = f"parameters: of the model as it stands, with tokenizer.vocab_size={page.tokenizer.vocab_size}"
        return {option: _of_model(page, option) for option in options}, counted
    host, places = host_of(group)
    _set(page, "model", configuration.option("model", host))
    counted = f"parameters: of one such part of model={host}, model.dim={page.model.dim}"
    return {option: _of_part(page, group, option, places) for option in options}, counted


def host_of(group: str) -> tuple[str, list[str]]:
    """The model in which the group's options are looked at, and the keys at which they stand in it, its own first."""
    name = group.removeprefix("model/")
    found = {model: list(_places(path, name)) for model, path in tree.groups()["model"].items()}
    hosts = [model for model, places in found.items() if places]
    if not hosts:
        raise Mistake(f"no model has a place for {group}; lmlab list model shows the models")
    host = next((one for one in HOSTS if one in hosts), hosts[0])
    return host, sorted(found[host], key=lambda place: place != name)


def _places(path: Path, name: str) -> Iterator[str]:
    """The keys at which a model's own file has a part of this group."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for entry in content.get("defaults", []) if "_target_" in content else ():
        for part in entry if isinstance(entry, dict) else ():
            group, _, place = part.partition("@")
            if group.removeprefix("/model/") == name:
                yield place or name


def _of_model(page: DictConfig, option: str) -> Facts:
    _set(page, "model", configuration.option("model", option))
    if takes(page.model._target_, "vocabulary"):
        with shapes_only():
            model = configuration.build(page, "model")(vocabulary=unnamed(page.tokenizer.vocab_size))
        return Facts(("word vectors",), count(model))
    filled = built(page)
    if any(isinstance(model, Conditional) for model in filled.values()):
        return Facts(("encoder-decoder",), count(next(iter(filled.values()))))
    return Facts(tuple(filled), count(next(iter(filled.values()))) if filled else None)


def _of_part(page: DictConfig, group: str, option: str, places: list[str]) -> Facts:
    """At the group's own place in each role; and elsewhere, as in cross-attention, in the conditional decoder."""
    own, *others = places
    part, before = configuration.option(group, option), {place: page.model[place] for place in places}
    _set(page.model, own, part)
    filled, kind = built(page), configuration.class_of(page.model, own)
    roles = list(filled)
    _set(page.model, own, before[own])
    for place in others:
        _set(page.model, place, part)
        if built(page, ("conditional decoder",)):
            roles.append(place.replace("_", "-"))
        _set(page.model, place, before[place])
    sizes = [count(one) for model in filled.values() for one in model.modules() if isinstance(one, kind)]
    return Facts(tuple(roles), sizes[0] if sizes else 0 if filled else None)


def built(page: DictConfig, roles: tuple[str, ...] = tuple(ROLES)) -> dict[str, nn.Module]:
    """The configured model in each of these roles that it can fill; shapes only."""
    found = {}
    for role in roles:
        try:
            with shapes_only():
                found[role] = configuration.build(page, "model")(vocab_size=page.tokenizer.vocab_size, **ROLES[role])
        except Mistake:
            continue
    return found


def _set(config: DictConfig, key: str, value: Any) -> None:
    with open_dict(config):
        config[key] = value
