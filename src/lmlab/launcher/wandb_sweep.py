"""A sweep as the file that `wandb sweep` takes: the same space, whose points W&B's server proposes to its agents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from lmlab import config as configuration
from lmlab.launcher.files import COMMAND
from lmlab.launcher.space import SEED, Interval, Space, read, written
from lmlab.launcher.sweep import base_of, constants, kind_of_search, objectives
from lmlab.run import json_file
from lmlab.search.study import ETA
from lmlab.tree import leaves
from lmlab.types import Mistake

log = logging.getLogger(__name__)

METHODS = {None: "grid", "random": "random", "tpe": "bayes", "gp": "bayes", "cmaes": "bayes"}
"""Of our searches, W&B's nearest: its own is Bayesian optimisation with a Gaussian process."""


def export_sweep(folder: Path, path: Path | None) -> list[Path]:
    """Writes one file, or one for each grid where there are several; where they lie."""
    overrides: list[str] = yaml.safe_load((folder / COMMAND).read_text(encoding="utf-8"))
    path = path or folder / "wandb_sweep.yaml"
    places = []
    configs = wandb_sweeps(overrides, folder.name)
    for number, config in enumerate(configs, start=1):
        place = path if len(configs) == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(place, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        except OSError as error:
            raise Mistake(f"path={place} cannot be written ({error.strerror}); set path to another place") from error
        places.append(place)
    return places


def wandb_sweeps(overrides: Sequence[str], name: str) -> list[dict[str, Any]]:
    """W&B's sweep configurations that try the same points as `lmlab train -m OVERRIDES`."""
    base = base_of(overrides)
    space = read(overrides, base)
    kind, metric, direction = _searched(base, space)
    shared: dict[str, Any] = {
        "name": name,
        "project": base.project,
        "program": "lmlab",
        "command": ["${env}", "lmlab", "train", *logged(without_file(space.constant), base), "${args_no_hyphens}"],
        "method": METHODS[kind],
        "metric": {"name": metric, "goal": direction},
    }
    if kind is not None:
        shared["run_cap"] = base.sweep.num_trials
    if base.sweep.pruner in ("asha", "hyperband"):
        shared["early_terminate"] = {"type": "hyperband", "min_iter": 1, "eta": ETA}
    elif base.sweep.pruner is not None:
        log.warning("sweep.pruner=%s is left out: W&B stops runs early by hyperband alone", base.sweep.pruner)
    seeds = {SEED: list(space.seeds)} if space.seeds else {}
    return [{**shared, "parameters": _parameters({**grid, **space.drawn, **seeds})} for grid in space.grids]


def without_file(overrides: Sequence[str]) -> list[str]:
    """The same experiment without `sweep=NAME`, which would start a sweep in every job: what its file sets is typed."""
    rest = [override for override in constants(overrides) if not override.startswith("sweep=")]
    if len(rest) == len(constants(overrides)):
        return rest
    chosen, now = _choices(overrides), _choices(rest)
    choices = [f"{group}={option}" for group, option in chosen.items() if now.get(group) != option]
    wanted, found = _values(overrides), _values([*rest, *choices])
    return [*rest, *choices, *(f"{key}={written(one)}" for key, one in wanted.items() if found.get(key, ...) != one)]


def logged(overrides: Sequence[str], base: DictConfig) -> list[str]:
    """The same with W&B among the loggers: its sweep sees nothing else."""
    if "wandb" in (base.logger or ()):
        return list(overrides)
    others = (override for override in overrides if override.lstrip("+~").partition("=")[0] != "logger")
    return [*others, "logger=wandb"]


def _choices(overrides: Sequence[str]) -> dict[str, Any]:
    """Group -> option, but for the sweep."""
    chosen = configuration.compose(overrides, with_hydra=True).hydra.runtime.choices
    typed = {configuration.as_typed(group): option for group, option in chosen.items()}
    return {group: option for group, option in typed.items() if configuration.options_of(group) and group != "sweep"}


def _values(overrides: Sequence[str]) -> dict[str, Any]:
    """Dotted key -> value, but for those of the sweep."""
    config = configuration.compose(overrides)
    keys = [key for key in leaves(configuration.plain(config)) if not key.startswith("sweep.")]
    return {key: configuration.plain(OmegaConf.select(config, key)) for key in keys}


def _searched(base: DictConfig, space: Space) -> tuple[str | None, str, str]:
    """The search, its figure and its direction; a Mistake for what W&B has no form for."""
    kind = kind_of_search(base.sweep, space)
    metrics, directions = objectives(base)
    if kind not in METHODS or len(metrics) > 1:
        raise Mistake(f"a W&B sweep has one objective, and sweep.search={kind} here has {', '.join(metrics)}")
    if space.zipped:
        keys = ", ".join(space.zipped)
        raise Mistake(
            f"a W&B sweep has no values that vary together, as {keys} do in sweep.zip; make it several sweeps"
        )
    if base.sweep.match is not None:
        raise Mistake(f"a W&B agent cannot match points (sweep.match={base.sweep.match}); lmlab train -m does")
    if kind is not None and len(space.seeds) > 1:
        raise Mistake("W&B would search for the best seed, as it knows no replicates; export a search with one seed")
    return kind, metrics[0], directions[0]


def _parameters(varied: dict[str, Any]) -> dict[str, Any]:
    """W&B's names have no slash: model/norm is model.norm there, which lmlab takes as well."""
    return {key.replace("/", "."): _parameter(key, values) for key, values in varied.items()}


def _parameter(key: str, values: list[str] | Interval) -> dict[str, Any]:
    if not isinstance(values, Interval):
        return {"values": [_plain(key, value) for value in values]}
    kind = "log_uniform_values" if values.is_log else "uniform"
    if not values.is_int:
        return {"distribution": kind, "min": values.low, "max": values.high}
    whole = {"min": int(values.low), "max": int(values.high)}
    return {"distribution": f"q_{kind}", "q": 1, **whole} if values.is_log else {"distribution": "int_uniform", **whole}


def _plain(key: str, text: str) -> Any:
    """Numbers as numbers, which W&B sorts and plots; all else as it would be typed, which the agent types again."""
    (override,) = configuration.parse([f"{key}={text}"])
    value = override.value()
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text
