"""Jobs that a search proposes: a trial is one point with all its seeds, its value their mean, and it is pruned on that mean."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from omegaconf import DictConfig

from lmlab.launcher.plan import Planner, add
from lmlab.launcher.space import Interval, Point, Space
from lmlab.launcher.table import Row, Table
from lmlab.run.folder import RunFolder
from lmlab.search.study import Range, Study
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def searched(
    kind: str,
    folder: Path,
    base: DictConfig,
    space: Space,
    planner: Planner,
    table: Table,
    metrics: Sequence[str],
    directions: Sequence[Literal["minimize", "maximize"]],
    total_steps: int,
) -> Searched:
    """The feed of a search."""
    dimensions = {
        key: Range(values.low, values.high, values.is_log, values.is_int) if isinstance(values, Interval) else values
        for key, values in space.dimensions().items()
    }
    study = Study(
        folder,
        kind=kind,
        pruner=base.sweep.pruner,
        directions=directions,
        dimensions=dimensions,
        seed=base.sweep.seed,
        first_step=base.trainer.val_check_interval,
        total_steps=total_steps,
    )
    return Searched(study, folder, table, planner, space.seeds, metrics, base.sweep.num_trials)


class Searched:
    """The feed of a search (see `feed.Feed`).

    Args:
        study: proposes.
        seeds: that every trial is trained with; none: the one of the configuration.
        metrics: the objectives; the first is what is pruned on.
        num_trials: how many there are to be, promotions not counted.
    """

    def __init__(
        self,
        study: Study,
        folder: Path,
        table: Table,
        planner: Planner,
        seeds: Sequence[str],
        metrics: Sequence[str],
        num_trials: int,
    ) -> None:
        self.study, self.folder, self.table, self.planner = study, folder, table, planner
        self.seeds, self.metrics, self.num_trials = seeds, metrics, num_trials
        self.jobs: dict[int, list[int]] = {}
        """Of each open trial."""
        self.hopeless: set[int] = set()
        self.figures: dict[int, dict[int, float]] = defaultdict(dict)
        """By job and step."""
        for trial, jobs in study.unfinished.items():
            self._open(trial, jobs or self._made(trial))
        self._settle()

    @property
    def total(self) -> int:
        return max(self.num_trials * max(1, len(self.seeds)), len(self.table.rows()))

    def more(self, wanted: int) -> None:
        """A promotion where one is due, else the next proposals, until there are jobs enough."""
        while wanted > 0:
            promoted = self.study.promote()
            if promoted is not None:
                trial, jobs = promoted
                for number in jobs:
                    if self._row(number).state == "pruned":
                        self.table.change(number, state="queued")
                log.info("trial %d goes on with the jobs of a pruned one: %s", trial, ", ".join(map(str, jobs)))
            elif self.study.num_proposed < self.num_trials:
                trial = self.study.ask()
                jobs = self._made(trial)
            else:
                return
            self._open(trial, jobs)
            wanted -= len(jobs)
            self._settle()

    def _made(self, trial: int) -> list[int]:
        """The trial's jobs in the table; none where the point does not work, which makes the trial a failure."""
        try:
            planned = self.planner.plan([Point(self.study.values(trial))], self.seeds)
        except Mistake as mistake:
            log.error("trial %d is left out: %s", trial, mistake)
            return []
        return [row.number for row in add(self.folder, self.table, planned, trial)]

    def _open(self, trial: int, jobs: list[int]) -> None:
        if jobs:
            self.study.keep_jobs(trial, jobs)
            self.jobs[trial] = jobs
        else:
            self.study.tell(trial, None)

    def is_hopeless(self, row: Row, lines: Sequence[Mapping[str, Any]]) -> bool:
        """The pruner's word on the mean over the trial's seeds, at each step that all of them have reached."""
        for line in lines:
            self.figures[row.number][line["step"]] = _number(line[self.metrics[0]])
        for trial, jobs in self.jobs.items():
            if row.number not in jobs or trial in self.hopeless:
                continue
            steps = set.intersection(*({*self.figures[job]} for job in jobs))
            for step in sorted(steps):
                mean = fmean(self.figures[job][step] for job in jobs)
                if self.study.is_hopeless(trial, step, mean):
                    self._prune(trial)
                    break
        return any(row.number in self.jobs[trial] for trial in self.hopeless if trial in self.jobs)

    def _prune(self, trial: int) -> None:
        self.hopeless.add(trial)
        for number in self.jobs[trial]:
            if self._row(number).state == "queued":
                self.table.change(number, state="pruned")

    def ended(self, row: Row) -> None:
        """Tells the study what has become of the trials that wait for this job."""
        self._settle()

    def _settle(self) -> None:
        rows = {row.number: row for row in self.table.rows()}
        for trial, jobs in list(self.jobs.items()):
            states = {rows[number].state for number in jobs}
            if states & {"queued", "running"}:
                continue
            if states == {"done"}:
                self.study.tell(trial, [fmean(self._figure(rows[n], metric) for n in jobs) for metric in self.metrics])
            elif "failed" in states:
                self.study.tell(trial, None)
            else:
                self.study.tell_pruned(trial)
            del self.jobs[trial]
            self.hopeless.discard(trial)

    def _figure(self, row: Row, metric: str) -> float:
        assert row.run is not None
        return _number(RunFolder(self.folder / row.run).summary.get(metric, math.nan))

    def _row(self, number: int) -> Row:
        return next(row for row in self.table.rows() if row.number == number)


def _number(value: Any) -> float:
    """A figure of a JSON file, where NaN and the infinities are words."""
    return float(value)
