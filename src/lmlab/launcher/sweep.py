"""A sweep from the command line to its table: read the space, check all jobs, run what is not done, show the result."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab.launcher import slots, space, warm
from lmlab.launcher.engine import Engine
from lmlab.launcher.feed import Feed, Fixed
from lmlab.launcher.files import COMMAND
from lmlab.launcher.live import View
from lmlab.launcher.match import SECONDS, Matcher, measured
from lmlab.launcher.plan import Planned, Planner, add
from lmlab.launcher.table import Table, jobs_of
from lmlab.report.sweep_html import write_sweep_report
from lmlab.run import json_file
from lmlab.run.lock import Lock, holder
from lmlab.types import Interrupted, Mistake

log = logging.getLogger(__name__)

Direction = Literal["minimize", "maximize"]

THREADS = "threads"
"""In a sweep's folder: threads of each job, by its first start."""


@dataclass(frozen=True)
class Prepared:
    """A sweep that was read and checked, before anything is written."""

    base: DictConfig
    found: space.Space
    folder: Path
    places: Sequence[slots.Slot]
    planner: Planner
    kind: str | None
    """Of the search; None: every point of the grids."""
    planned: Sequence[Planned]
    """All jobs; of a search, those of one point."""
    seconds: Mapping[str, float]
    """Per step, of sweep.match=time, by identity of the job before it was matched."""


def prepared(overrides: Sequence[str]) -> Prepared:
    """Reads a command line and checks every job of it; a Mistake names what is wrong with any."""
    base = base_of(overrides)
    found = space.read(overrides, base)
    folder = folder_of(found, base)
    devices = devices_of(base, found)
    places = slots_of(base, devices)
    threads = max(1, len(places[0].cores) // devices)
    planner = Planner(constants(found.constant), settings(folder, base, threads))
    kind = kind_of_search(base.sweep, found)
    planned = planner.plan(found.points() if kind is None else [found.first()], found.seeds)
    if base.sweep.match is not None:
        if kind is not None:
            raise Mistake(f"sweep.match={base.sweep.match} is for grids; set sweep.search=null, or sweep.match=null")
        matcher = Matcher(base.sweep.match, planner, found.seeds, measured(folder))
        return Prepared(base, found, folder, places, planner, kind, matcher.match(planned), matcher.seconds)
    return Prepared(base, found, folder, places, planner, kind, planned, {})


def sweep(overrides: Sequence[str]) -> int:
    """Runs all jobs of a command line; 1 if any failed."""
    warm.warm_up()
    ready = prepared(overrides)
    folder, base, kind = ready.folder, ready.base, ready.kind
    if (running := holder(folder)) is not None:
        raise Mistake(f"{folder} is running on {running}; lmlab status {folder} shows it, lmlab stop {folder} stops it")
    metrics, directions = objectives(base)
    with Lock(made(folder)), resumable(folder):
        json_file.write_text(folder / COMMAND, yaml.safe_dump(list(overrides), allow_unicode=True))
        json_file.write_text(folder / THREADS, f"{ready.planner.settings['trainer.threads']}\n")
        if ready.seconds:
            json_file.write(folder / SECONDS, dict(ready.seconds))
        table = Table(folder)
        table.make()
        feed: Feed = Fixed()
        if kind is None:
            add(folder, table, ready.planned)
        else:
            from lmlab.launcher.searched import searched

            steps = int(ready.planned[0].experiment.horizon.total_steps)
            feed = searched(kind, folder, base, ready.found, ready.planner, table, metrics, directions, steps)
        _run(folder, base, table, ready.places, feed, metrics[0], directions[0])
    return conclude(folder, table)


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """A full disk, in a sentence; what is in the folder stays as it is."""
    try:
        yield
    except OSError as error:
        raise Interrupted(f"{folder} cannot be written ({error}); free some space, then the same command") from error


def _run(
    folder: Path,
    base: DictConfig,
    table: Table,
    places: Sequence[slots.Slot],
    feed: Feed,
    metric: str,
    direction: Direction,
) -> None:
    def write_page() -> None:
        write_sweep_report(folder, jobs_of(folder), name=folder.name, metric=metric, direction=direction)

    with View(folder.name, metric, direction, write_page) as view:
        log.info("sweep %s: %s, %d at once", folder, _count(len(table.rows())), len(places))
        engine = Engine(
            folder=folder,
            table=table,
            slots=places,
            metric=metric,
            timeout=None if base.sweep.job_timeout is None else float(base.sweep.job_timeout),
            feed=feed,
            view=view,
        )
        engine.run()


def conclude(folder: Path, table: Table) -> int:
    """Prints the table of results; 1 if any job failed."""
    from lmlab.command.sweep_report import report_sweep

    report_sweep(folder, [])
    rows = table.rows()
    failed = sum(row.state == "failed" for row in rows)
    done = sum(row.state == "done" for row in rows)
    pruned = sum(row.state == "pruned" for row in rows)
    also = f", {pruned} pruned" if pruned else ""
    sys.stdout.write(f"{done} of {_count(len(rows))} done{also}, {failed} failed\n")
    return 1 if failed else 0


def objectives(base: DictConfig) -> tuple[list[str], list[Direction]]:
    """The figures that the sweep compares, and which way."""
    metric, direction = base.sweep.metric or base.monitor, base.sweep.direction or base.direction
    metrics: list[str] = [metric] if isinstance(metric, str) else list(metric)
    directions: list[Any] = [direction] * len(metrics) if isinstance(direction, str) else list(direction)
    if len(metrics) != len(directions) or not {*directions} <= {"minimize", "maximize"}:
        raise Mistake(
            f"sweep.direction={directions} does not go with sweep.metric={metrics}; give minimize or maximize for each"
        )
    return metrics, directions


def base_of(overrides: Sequence[str]) -> DictConfig:
    """The composition without what is swept: the sweep's own settings, and what all jobs share."""
    parsed = configuration.parse([configuration.quoted(override) for override in overrides])
    fixed = [text for override, text in zip(parsed, overrides) if not override.is_sweep_override()]
    return configuration.compose(fixed)


def folder_of(found: space.Space, base: DictConfig) -> Path:
    """The sweep's folder; without a name, one that follows from the keys and from what all jobs share."""
    name = base.sweep.name
    if name is None:
        keys = [key.replace("/", ".").split(".")[-1] for key in [*found.keys, *(["seed"] if found.seeds else [])]]
        shared = hashlib.sha256("\n".join(sorted(constants(found.constant))).encode()).hexdigest()[:4]
        name = "-".join([*keys, shared])[:100]
    if "/" in name or name.startswith("."):
        raise Mistake(f"sweep.name={name!r} cannot name a folder; set sweep.name to a word without /")
    return Path(str(base.sweep.dir), name)


def made(folder: Path) -> Path:
    """The folder and those in it."""
    try:
        for part in ("jobs", "logs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(
            f"sweep.dir={folder.parent} cannot be written ({error.strerror}); set sweep.dir or LMLAB_SWEEPS to a folder "
            "with space that you may write to"
        ) from error
    return folder


def constants(overrides: Sequence[str]) -> list[str]:
    """What is no setting of the sweep itself."""
    return [override for override in overrides if not override.startswith("sweep.")]


def settings(folder: Path, base: DictConfig, threads: int) -> dict[str, Any]:
    """What every job gets from its sweep; the threads are those of the sweep's first start, because bits depend on them."""
    kept = folder / THREADS
    first = int(kept.read_text()) if kept.exists() else threads
    compared = {key: configuration.plain(base.sweep[key]) for key in ("metric", "direction")}
    return {
        "output_dir": str(folder),
        "trainer.threads": base.trainer.threads or first,
        "sweep": {"name": folder.name, **compared},
        "fresh": False,
    }


def slots_of(base: DictConfig, devices: int) -> list[slots.Slot]:
    """The places for jobs of `devices` devices on this machine."""
    from lmlab.command.experiment import accelerator

    kind = accelerator(base.trainer.accelerator, 1)
    return slots.slots(
        gpus=slots.gpus_of(kind),
        devices=devices,
        jobs_per_device=base.sweep.jobs_per_device,
        parallel=base.sweep.parallel,
        threads=base.trainer.threads,
    )


def devices_of(base: DictConfig, found: space.Space) -> int:
    """The most devices that any job needs."""
    swept = [value for grid in found.grids for value in grid.get("trainer.devices", [])]
    known = [base.trainer.devices, *map(int, filter(str.isdecimal, [*swept, *found.zipped.get("trainer.devices", [])]))]
    return max((number for number in known if isinstance(number, int)), default=1)


def kind_of_search(sweep: Any, found: space.Space) -> str | None:
    """The search that was chosen; random where there are intervals and none was; None: every point of the grids."""
    if sweep.search is not None:
        return str(sweep.search)
    return "random" if found.drawn else None


def _count(number: int) -> str:
    return f"{number} job{'s' * (number != 1)}"
