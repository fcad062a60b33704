"""From points to checked jobs: each composed, its types checked, built without memory; all faults are said, none starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from lmlab import config as configuration
from lmlab.launcher.files import config_path
from lmlab.launcher.space import Point
from lmlab.launcher.table import Row, Table
from lmlab.run import json_file
from lmlab.types import Mistake

MOST_FAULTS = 10
"""Bad points that are named one by one."""


@dataclass(frozen=True)
class Planned:
    """One job, ready to be trained."""

    point: Point
    seed: int | None
    overrides: Sequence[str]
    experiment: Any
    identity: str

    @property
    def config(self) -> DictConfig:
        """The composed configuration, with everything decided."""
        config: DictConfig = self.experiment.config
        return config

    @property
    def label(self) -> str:
        """What makes the point different, for people."""
        return label(self.point)

    @property
    def varied(self) -> dict[str, Any]:
        """The values of what the point varies, as they stand in the configuration; of a group, its option."""
        return {
            key: value if configuration.options_of(key) else configuration.plain(OmegaConf.select(self.config, key))
            for key, value in self.point.varied.items()
        }


@dataclass
class Planner:
    """Composes and checks jobs; points that differ in values alone share one composition, and equal data is read once.

    Args:
        constant: overrides that all jobs share.
        settings: values that the sweep sets in every job, by dotted key.
    """

    constant: Sequence[str]
    settings: Mapping[str, Any]
    _composed: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)
    _data: dict[str, Any] = field(default_factory=dict)
    _rehearsed: set[str] = field(default_factory=set)

    def plan(self, points: Iterable[Point], seeds: Sequence[str]) -> list[Planned]:
        """Every point with every seed; a Mistake names what is wrong with any."""
        planned, faults = [], []
        for point in points:
            try:
                first = self._planned(point, seeds[0] if seeds else None)
            except Mistake as mistake:
                faults.append(f"{label(point)}: {mistake}")
            else:
                planned += [first, *(self._again(first, seed) for seed in seeds[1:])]
        if faults:
            more = [f"... and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
            raise Mistake("\n".join([*faults[:MOST_FAULTS], *more]))
        return planned

    def _planned(self, point: Point, seed: str | None) -> Planned:
        from lmlab.command.experiment import resolve
        from lmlab.command.rehearse import rehearse
        from lmlab.command.train import identity_of

        overrides = point.overrides(self.constant, seed)
        config = self._compose(point, seed)
        experiment = resolve(config, self._data)
        if config.trainer.num_nodes > 1:
            raise Mistake(
                f"trainer.num_nodes={config.trainer.num_nodes}: the jobs of a sweep share one machine; set it to 1, or train "
                "this point by itself"
            )
        signature = json.dumps({**configuration.plain(config), "seed": None, "tags": None}, sort_keys=True)
        if signature not in self._rehearsed:
            rehearse(experiment)
            self._rehearsed.add(signature)
        return Planned(point, config.seed if seed is not None else None, overrides, experiment, identity_of(experiment))

    def _again(self, planned: Planned, seed: str) -> Planned:
        """The same point with another seed, which needs no other check."""
        from lmlab.command.experiment import Experiment
        from lmlab.command.train import identity_of

        config = planned.config.copy()
        config.seed = int(seed)
        experiment = Experiment(config, self._data)
        overrides = planned.point.overrides(self.constant, seed)
        return Planned(planned.point, int(seed), overrides, experiment, identity_of(experiment))

    def _compose(self, point: Point, seed: str | None) -> DictConfig:
        chosen = [f"{key}={value}" for key, value in point.varied.items() if configuration.options_of(key)]
        values = [f"{key}={value}" for key, value in point.varied.items() if not configuration.options_of(key)]
        key = tuple(chosen)
        if key not in self._composed:
            self._composed[key] = configuration.compose([*self.constant, *chosen])
        config = self._composed[key].copy()
        configuration.changed(config, [*values, *([f"seed={seed}"] if seed is not None else [])])
        with open_dict(config):
            for name, value in self.settings.items():
                block, _, last = name.rpartition(".")
                (config[block] if block else config)[last] = value
        return config


def label(point: Point) -> str:
    """What makes a point different, for people."""
    return " ".join(f"{key}={value}" for key, value in point.varied.items()) or "the job"


def tags(point: Point, seed: Any) -> list[str]:
    """What a job varies, as W&B and `lmlab runs` filter by it."""
    return [*(f"{key}={value}" for key, value in point.varied.items()), *([f"seed={seed}"] if seed is not None else [])]


def add(folder: Path, table: Table, planned: Sequence[Planned], trial: int | None = None) -> list[Row]:
    """Jobs into the table, each tagged with what it varies, their configurations into files."""
    for one in planned:
        with open_dict(one.config):
            one.config.tags = [*one.config.tags, *tags(one.point, one.seed)]
    rows = table.add(
        [
            Row(identity=one.identity, varied=one.varied, seed=one.seed, overrides=one.overrides, trial=trial)
            for one in planned
        ]
    )
    for one, row in zip(planned, rows):
        json_file.write_text(config_path(folder, row), configuration.write(one.config))
    return rows
