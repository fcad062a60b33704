"""What a sweep varies: from the command line and `sweep.grid`, `sweep.zip`, `sweep.random` to points, in Hydra's grammar.

A grid is a product of values; `sweep.grid` may be a list of grids, of which each stands for itself; what is swept on the
command line multiplies every grid. Values of `sweep.zip` vary together. Seeds are no dimension but replicates: every
point is trained once with each.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, ValueType
from omegaconf import DictConfig, OmegaConf

from lmlab import config as configuration
from lmlab.types import Mistake

SEED = "seed"

Values = dict[str, list[str]]
"""Key or group -> its values, each as it would be typed."""


@dataclass(frozen=True)
class Interval:
    """A range of numbers of which any may be drawn."""

    low: float
    high: float
    is_log: bool = False
    is_int: bool = False


@dataclass(frozen=True)
class Point:
    """One configuration of a sweep: what it varies, each value as it would be typed."""

    varied: Mapping[str, str]

    def overrides(self, constant: Sequence[str], seed: str | None) -> list[str]:
        """The command line of one of its jobs."""
        own = [*self.varied.items(), *([(SEED, seed)] if seed is not None else [])]
        return [*constant, *(f"{key}={value}" for key, value in own)]


@dataclass(frozen=True)
class Space:
    """All that a sweep may vary."""

    constant: tuple[str, ...]
    """Overrides that all jobs share."""
    grids: tuple[Values, ...] = ({},)
    zipped: Values = field(default_factory=dict)
    drawn: Mapping[str, Interval] = field(default_factory=dict)
    seeds: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """Everything that varies but the seed, in the order in which it was named."""
        return list(dict.fromkeys([*(key for grid in self.grids for key in grid), *self.zipped, *self.drawn]))

    def points(self) -> Iterator[Point]:
        """Every point of the grids, the last key varying fastest."""
        if self.drawn:
            raise Mistake(
                f"{next(iter(self.drawn))} is an interval, of which a grid has no end; set sweep.search=random or tpe, or "
                "give values: a,b,c"
            )
        for grid in self.grids:
            for chosen in itertools.product(*grid.values()):
                for together in _rows(self.zipped):
                    yield Point({**dict(zip(grid, chosen)), **together})

    def command_lines(self) -> Iterator[list[str]]:
        """What would train each job of the grids alone."""
        for point in self.points():
            for seed in self.seeds or (None,):
                yield point.overrides(self.constant, seed)

    def dimensions(self) -> dict[str, list[str] | Interval]:
        """What a search proposes values of."""
        if len(self.grids) > 1 or self.zipped:
            raise Mistake("a search takes one grid and no sweep.zip: what is searched are the keys, each on its own")
        return {**self.grids[0], **self.drawn}

    def first(self) -> Point:
        """One point of a search, to check before the first trial that the space makes sense."""
        lows = {
            key: values[0] if isinstance(values, list) else repr(int(values.low) if values.is_int else values.low)
            for key, values in self.dimensions().items()
        }
        return Point(lows)


def read(overrides: Sequence[str], base: DictConfig) -> Space:
    """The space of a command line and of the `sweep` block of what it composes to without its swept values."""
    sweep = base.sweep
    parsed = configuration.parse([configuration.quoted(override) for override in overrides])
    typed: dict[str, list[str] | Interval] = {}
    constant: dict[str, str] = {}
    for override, text in zip(parsed, overrides):
        key = configuration.as_typed(override.get_key_element())
        typed.pop(key, None)  # of what is typed twice, the last counts
        constant.pop(key, None)
        if override.is_sweep_override():
            typed[key] = values_of(override)
        else:
            constant[key] = text
    grids = [_values(grid, "sweep.grid") for grid in _as_list(sweep.grid)] or [{}]
    drawn = _values(sweep.random, "sweep.random")
    zipped = _values(sweep.zip, "sweep.zip")
    _check_zip(zipped)
    _check_once([*constant], [*typed], [*drawn], [*zipped], [key for grid in grids for key in grid])
    finite = {key: values for key, values in typed.items() if isinstance(values, list)}
    seeds = finite.pop(SEED, []) or next((grid[SEED] for grid in grids if SEED in grid), [])
    if any(grid.pop(SEED, seeds) != seeds for grid in grids):
        raise Mistake("the grids of sweep.grid have different seeds; seeds are replicates: give every point the same")
    if wrong := [seed for seed in seeds if not seed.isdecimal()]:
        raise Mistake(f"seed={wrong[0]} is wrong: expected a whole number from 0 up")
    continuous = {
        key: _whole(values, OmegaConf.select(base, key))
        for key, values in [*typed.items(), *drawn.items()]
        if isinstance(values, Interval)
    }
    finite |= {key: values for key, values in drawn.items() if isinstance(values, list)}
    if SEED in continuous or SEED in zipped:
        raise Mistake("seed is a replicate and not searched or zipped; give its values: seed=1,2,3")
    return Space(
        tuple(constant.values()), tuple({**grid, **finite} for grid in grids), zipped, continuous, tuple(seeds)
    )


def values_of(override: Override) -> list[str] | Interval:
    """What one swept override may be."""
    if override.value_type == ValueType.INTERVAL_SWEEP:
        return _interval(override)
    values = list(dict.fromkeys(override.sweep_string_iterator()))
    if not values:
        raise Mistake(f"{configuration.as_typed(override.get_key_element())} has no values: the sweep has no jobs")
    return values


def _interval(override: Override) -> Interval:
    value: Any = override.value()
    assert isinstance(value, IntervalSweep)
    low, high = value.start, value.end
    assert low is not None
    assert high is not None
    is_log = "log" in value.tags
    if not low < high or (is_log and low <= 0):
        raise Mistake(
            f"{override.input_line}: an interval goes from a number to a larger one{', above 0 for log' * is_log}"
        )
    return Interval(float(low), float(high), is_log, isinstance(low, int) and isinstance(high, int))


def _whole(interval: Interval, default: Any) -> Interval:
    """Whole numbers where the key holds one: Hydra's interval(8,64) has forgotten how it was typed."""
    is_int = interval.low.is_integer() and interval.high.is_integer() and type(default) is int
    return replace(interval, is_int=interval.is_int or is_int)


def _values(block: Any, where: str) -> Any:
    """A mapping of a sweep file: lists, or Hydra's sweeps as text."""
    plain = configuration.plain(block) or {}
    if not isinstance(plain, dict):
        raise Mistake(f"{where} is a mapping of keys to values, not {plain!r}")
    found: dict[str, list[str] | Interval] = {}
    for key, values in plain.items():
        texts = [written(value) for value in values] if isinstance(values, list) else None
        (override,) = configuration.parse([f"{key}={','.join(texts) if texts is not None else values}"])
        if texts is not None and len(texts) == 1:
            found[str(key)] = texts
        elif not override.is_sweep_override():
            found[str(key)] = [written(values)]
        else:
            found[str(key)] = values_of(override)
        if where == "sweep.grid" and isinstance(found[str(key)], Interval):
            raise Mistake(f"sweep.grid: {key} is an interval, of which a grid has no end; put it into sweep.random")
    return found


def written(value: Any) -> str:
    """A plain value in Hydra's grammar."""
    if value is None or isinstance(value, bool | int | float):
        return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    if isinstance(value, list):
        return f"[{','.join(written(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{written(one)}' for key, one in value.items())}}}"
    text = str(value)
    return text if re.fullmatch(r"[\w./-]+", text) else configuration.in_quotes(text)


def _rows(zipped: Values) -> list[dict[str, str]]:
    return [dict(zip(zipped, row)) for row in zip(*zipped.values())] or [{}]


def _check_zip(zipped: Mapping[str, Any]) -> None:
    lengths = {key: len(values) for key, values in zipped.items()}
    if len(set(lengths.values())) > 1:
        named = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise Mistake(f"sweep.zip varies its keys together, so they need equally many values; there are {named}")


def _check_once(*places: list[str]) -> None:
    flat = [key for keys in places for key in dict.fromkeys(keys)]
    twice = sorted({key for key in flat if flat.count(key) > 1} - {SEED})
    if twice:
        raise Mistake(f"{', '.join(twice)} stands twice; leave it out of one of command line, grid, zip and random")


def _as_list(grid: Any) -> list[Any]:
    return list(grid) if OmegaConf.is_list(grid) else [grid] if grid else []
