"""A sweep as rows x columns: mean ± half-width of the 95 % t interval over seeds, bold only where significantly best.

Seeds are replicates: they are averaged, and are never a row or a column. Where a cell holds several settings of the other
keys, these are averaged within each seed first, over the seeds that have them all, so that the interval is still over
seeds. What is not in a figure is counted beside it: jobs that failed, were pruned or are not done, values that are not
finite. The best of a column is marked where a paired test (the t test over common seeds, or one over the examples of the
split) finds it better than every other, Holm-corrected over those tests, all of its own values are finite, and no other has
yet to deliver.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lmlab.report.comparison import Paired, holm, paired
from lmlab.report.job import Job, ordered, varied_keys
from lmlab.report.over_examples import TESTS, OverExamples, over_examples, pooled
from lmlab.report.record import Record
from lmlab.report.statistics import ALPHA, Estimate, estimate

Direction = Literal["minimize", "maximize"]

Test = Literal["seed", "bootstrap", "randomisation"]

Label = tuple[str, ...]
"""The values of the row's keys, or of the column's."""

HIGHER = ("accuracy", "bleu", "chrf", "exact_match", "f1", "precision", "recall", "rouge", "per_second")
"""A figure whose name holds one of these is better when higher; any other when lower."""

OPEN = ("running", "queued")


@dataclass(frozen=True)
class Cell:
    """The jobs of one row and column, as one figure."""

    jobs: Sequence[Job]
    by_seed: Mapping[int | None, float]
    """Finite values, the mean of the other keys' settings."""
    left_out: Mapping[str, int]
    """How many jobs are not in the figure, by reason."""
    estimate: Estimate | None
    is_best: bool = False
    """Significantly better than every other of its column."""

    @property
    def has_broken(self) -> bool:
        return "not finite" in self.left_out

    @property
    def is_open(self) -> bool:
        return self.estimate is None and any(job.state in OPEN for job in self.jobs)


@dataclass(frozen=True)
class Contrast:
    """The best of a column against another row of it."""

    best: Label
    other: Label
    paired: Paired | OverExamples
    p: float
    """Of the test, Holm-corrected over the column."""


@dataclass(frozen=True)
class SweepTable:
    """What every format shows."""

    metric: str
    direction: Direction
    row_keys: Sequence[str]
    column_keys: Sequence[str]
    rows: Sequence[Label]
    columns: Sequence[Label]
    cells: Mapping[tuple[Label, Label], Cell]
    """By row and column; a combination that no job has is missing."""
    contrasts: Mapping[Label, Sequence[Contrast]]
    """By column, the nearest first."""
    averaged: Sequence[str]
    """Keys that vary within a cell."""
    test: Test = "seed"
    more: Sequence["SweepTable"] = ()
    """Other figures of the same rows and columns, shown beside; nothing is tested on them."""


def direction_of(metric: str) -> Direction:
    """Which way a figure is better, by its name."""
    name = metric.rpartition("/")[2].lower()
    return "maximize" if any(part in name for part in HIGHER) else "minimize"


def sweep_table(
    jobs: Sequence[Job],
    *,
    metric: str,
    rows: Sequence[str],
    columns: Sequence[str] = (),
    direction: Direction | None = None,
    test: Test = "seed",
    more: Sequence[str] = (),
) -> SweepTable:
    """The jobs by the values of these keys.

    Args:
        more: figures that stand beside the metric.

    Raises:
        Mistake: where runs of a column cannot be compared by this test.
    """
    chosen = direction or direction_of(metric)
    groups: dict[tuple[Label, Label], list[Job]] = {}
    for job in ordered(jobs):
        groups.setdefault((job.label(rows), job.label(columns)), []).append(job)
    cells = {place: _cell(group, metric) for place, group in groups.items()}
    row_labels, column_labels = _distinct(place[0] for place in cells), _distinct(place[1] for place in cells)
    contrasts = {}
    for column in column_labels:
        own = {row: cells[row, column] for row in row_labels if (row, column) in cells}
        best = _best(own, chosen)
        contrasts[column] = _contrasts(own, best, metric, test)
        if best is not None and _is_significant(own, best, contrasts[column], chosen):
            cells[best, column] = replace(cells[best, column], is_best=True)
    used = {*rows, *columns}
    averaged = [key for key in varied_keys(jobs) if key not in used and _varies(key, groups.values())]
    beside = [sweep_table(jobs, metric=one, rows=rows, columns=columns) for one in more]
    return SweepTable(
        metric, chosen, rows, columns, row_labels, column_labels, cells, contrasts, averaged, test, beside
    )


def _distinct(labels: Iterable[Label]) -> list[Label]:
    return list(dict.fromkeys(labels))


def _cell(jobs: Sequence[Job], metric: str) -> Cell:
    keys = varied_keys(jobs)
    reasons: list[str] = []
    values: dict[int | None, dict[Label, list[float]]] = {}
    for job in jobs:
        value = job.figures.get(metric)
        if job.state != "done" or value is None:
            reasons.append(job.state if job.state != "done" else f"without {metric}")
        else:
            values.setdefault(job.seed, {}).setdefault(job.label(keys), []).append(float(value))
    settings = {setting for by_setting in values.values() for setting in by_setting}
    by_seed: dict[int | None, float] = {}
    for seed, by_setting in sorted(values.items(), key=lambda item: (item[0] is None, item[0] or 0)):
        found = [value for group in by_setting.values() for value in group]
        finite = [value for value in found if math.isfinite(value)]
        if len(finite) == len(found) and len(by_setting) == len(settings):
            by_seed[seed] = math.fsum(found) / len(found)
        else:
            reasons += ["not finite"] * (len(found) - len(finite)) + ["of an incomplete seed"] * len(finite)
    return Cell(jobs, by_seed, Counter(reasons), estimate(list(by_seed.values())) if by_seed else None)


def _best(cells: Mapping[Label, Cell], direction: Direction) -> Label | None:
    means = {row: cell.estimate.mean for row, cell in cells.items() if cell.estimate is not None}
    if not means:
        return None
    choose = min if direction == "minimize" else max
    return choose(means, key=lambda row: means[row])


def _contrasts(cells: Mapping[Label, Cell], best: Label | None, metric: str, test: Test) -> list[Contrast]:
    """The best against every other: over the seeds that both have, if these are enough, or over examples."""
    if best is None:
        return []
    tested: Mapping[Label, Paired | OverExamples] = (
        _over_seeds(cells, best) if test == "seed" else _over_examples(cells, best, metric, test)
    )
    corrected = holm([one.p for one in tested.values()])
    contrasts = [Contrast(best, row, one, p) for (row, one), p in zip(tested.items(), corrected)]
    return sorted(contrasts, key=lambda contrast: abs(contrast.paired.difference))


def _over_seeds(cells: Mapping[Label, Cell], best: Label) -> dict[Label, Paired]:
    found = {row: paired(cells[best].by_seed, cell.by_seed) for row, cell in cells.items() if row != best}
    return {row: one for row, one in found.items() if one is not None}


def _over_examples(cells: Mapping[Label, Cell], best: Label, metric: str, test: Test) -> dict[Label, OverExamples]:
    """By the runs whose values are in the figures."""
    others = [row for row, cell in cells.items() if row != best and cell.estimate is not None]
    if not others:
        return {}
    first = pooled(_counted(cells[best], metric), metric=metric)
    return {
        row: over_examples(first, pooled(_counted(cells[row], metric), metric=metric), test=TESTS[test])
        for row in others
    }


def _counted(cell: Cell, metric: str) -> list[Record]:
    jobs = [job for job in cell.jobs if job.state == "done" and job.seed in cell.by_seed and metric in job.figures]
    return [job.run for job in jobs if job.run is not None]


def _is_significant(
    cells: Mapping[Label, Cell], best: Label, contrasts: Sequence[Contrast], direction: Direction
) -> bool:
    others = [row for row, cell in cells.items() if row != best and cell.estimate is not None]
    if not others or cells[best].has_broken or any(cell.is_open for cell in cells.values()):
        return False
    sign = -1 if direction == "minimize" else 1  # over the common seeds alone, another may be the better
    won = {contrast.other for contrast in contrasts if contrast.p < ALPHA and sign * contrast.paired.difference > 0}
    return won.issuperset(others)


def _varies(key: str, groups: Iterable[Sequence[Job]]) -> bool:
    return any(len({job.label([key]) for job in group}) > 1 for group in groups)
