"""A sweep as one page that needs nothing but itself: table, curves, what mattered, what it cost; also while it runs."""

import math
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lmlab.report.execution import compared, figures_for
from lmlab.report.figure import duration, figure, short
from lmlab.report.html import command, document, escape, tile, write_page
from lmlab.report.importance import SEED, importance
from lmlab.report.job import Job, brief, counted, ordered, varied_keys, written
from lmlab.report.parallel import Line, parallel
from lmlab.report.scatter import Dot, scatter
from lmlab.report.statistics import bootstrap
from lmlab.report.sweep_curves import ROLES, curves
from lmlab.report.sweep_format import TESTS, comparisons, name, plus_minus, remarks
from lmlab.report.sweep_table import OPEN, Cell, Direction, Label, SweepTable, Test, sweep_table

RELOAD = 30
"""Seconds after which the page of a sweep that is not done loads itself again."""

RESAMPLES = 1_999
"""Of the bootstrap on the page; `format=csv` takes more."""

LISTED = 200
"""Of the jobs that are not done, so many are listed."""

COSTS = {"parameters": "parameters", "flops": "FLOPs", "seconds": "training time in seconds"}


@dataclass(frozen=True)
class _Sweep:
    """What every section shows; a row for each configuration."""

    folder: Path
    name: str
    jobs: Sequence[Job]
    table: SweepTable

    @property
    def metric(self) -> str:
        return self.table.metric

    @cached_property
    def cells(self) -> dict[Label, Cell]:
        """The best first, those without a figure last."""
        sign = 1 if self.table.direction == "minimize" else -1
        known = {row: cell for (row, _), cell in self.table.cells.items()}
        means = {row: sign * cell.estimate.mean if cell.estimate else math.inf for row, cell in known.items()}
        return {row: known[row] for row in sorted(known, key=lambda row: means[row])}

    def label(self, row: Label) -> str:
        """A configuration by its values, with the last part of the keys where there are several."""
        if len(row) < 2:
            return name(row)
        keys = [key.replace("/", ".").rpartition(".")[2] for key in self.table.row_keys]
        return " ".join(f"{key}={brief(value)}" for key, value in zip(keys, row) if value)

    def link(self, job: Job, text: str) -> str:
        """The run's page, or its folder as long as it has none."""
        if job.run is None:
            return escape(text)
        page = job.run.path / "report.html"
        target = os.path.relpath(page if page.exists() else job.run.path, self.folder)
        return f'<a href="{escape(target)}" title="{escape(job.run.id)}">{escape(text)}</a>'


def write_sweep_report(
    folder: Path, jobs: Sequence[Job], *, name: str, metric: str, direction: Direction, test: Test = "seed"
) -> Path:
    """Write report.html into the sweep's folder, at once."""
    page = sweep_page(folder, jobs, name=name, metric=metric, direction=direction, test=test)
    return write_page(folder / "report.html", page)


def sweep_page(
    folder: Path, jobs: Sequence[Job], *, name: str, metric: str, direction: Direction, test: Test = "seed"
) -> str:
    """The whole page; links are relative to the folder."""
    jobs, keys = compared(jobs), varied_keys(jobs)
    table = sweep_table(jobs, metric=metric, rows=keys, direction=direction, test=test, more=figures_for(jobs))
    sweep = _Sweep(folder, name, ordered(jobs), table)
    sections = (_header, _configurations, _comparisons, _curves, _importance, _parallel, _costs, _unfinished, _tables)
    body = "\n".join(part for section in sections for part in section(sweep))
    return document(name, body, seconds=RELOAD if any(job.state in OPEN for job in jobs) else None)


def _header(sweep: _Sweep) -> Iterator[str]:
    states = counted(sweep.jobs)
    status = "running" if any(state in states for state in OPEN) else "failed" if "failed" in states else "finished"
    yield f'<h1>{escape(sweep.name)}<span class="status {status}">{status}</span></h1>'
    better = "lower" if sweep.table.direction == "minimize" else "higher"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f'<p class="about">{escape(sweep.metric)}, {better} is better · written {now}</p>'
    best = next(((row, cell.estimate) for row, cell in sweep.cells.items() if cell.estimate), None)
    if best is not None:
        yield f'<p class="about">Best: {escape(sweep.label(best[0]))}</p>'
    tiles = [tile("jobs", f"{len(sweep.jobs):,}"), *(tile(state, f"{count:,}") for state, count in states.items())]
    tiles += [] if best is None else [tile(f"best mean {sweep.metric}", figure(best[1].mean))]
    spent = [job.figures["seconds"] for job in sweep.jobs if math.isfinite(job.figures.get("seconds", math.nan))]
    tiles += [tile("training time of all", duration(math.fsum(spent)))] if spent else []
    yield f'<dl class="tiles">{"".join(tiles)}</dl>'


def _configurations(sweep: _Sweep) -> Iterator[str]:
    yield "<h2>Configurations<small>mean and 95 % intervals over seeds</small></h2>"
    if not sweep.jobs:
        yield '<p class="about">There are no jobs yet.</p>'
        return
    keys = "".join(f"<th>{escape(key)}</th>" for key in sweep.table.row_keys)
    heads = "".join(f'<th class="number">{escape(head)}</th>' for head in ("mean ± t", "n", "sd", "bootstrap"))
    more = "".join(f'<th class="number">{escape(one.metric)}</th>' for one in sweep.table.more)
    yield f'<div class="scroll"><table class="sweep"><tr>{keys}{heads}<th></th>{more}<th>runs by seed</th></tr>'
    place = _places(sweep)
    for row, cell in sweep.cells.items():
        values = "".join(f"<td>{escape(brief(value))}</td>" for value in row)
        runs = " ".join(sweep.link(job, _replicate(job)) for job in cell.jobs)
        role = ' class="own"' if cell.is_best else ""
        more = "".join(f'<td class="number">{_mean(one.cells[row, ()])}</td>' for one in sweep.table.more)
        yield f'<tr{role}>{values}{_numbers(cell)}{_interval(cell, place)}{more}<td class="runs">{runs}</td></tr>'
    yield "</table></div>"
    for remark in remarks(sweep.table, star="bold"):
        yield f'<p class="about">{escape(remark[0].upper() + remark[1:])}.</p>'


def _mean(cell: Cell) -> str:
    return "–" if cell.estimate is None else figure(cell.estimate.mean)


def _replicate(job: Job) -> str:
    return f"job {job.number}" if job.seed is None else str(job.seed)


def _numbers(cell: Cell) -> str:
    left = "".join(f'<span class="note">{count} {escape(reason)}</span>' for reason, count in cell.left_out.items())
    if cell.estimate is None:
        shown = ["–", "0", "", ""]
    else:
        low, high = bootstrap(list(cell.by_seed.values()), resamples=RESAMPLES)
        ends = f"{figure(low)} to {figure(high)}" if math.isfinite(low) else ""
        sd = figure(cell.estimate.sd) if math.isfinite(cell.estimate.sd) else ""
        shown = [plus_minus(cell.estimate), str(cell.estimate.n), sd, ends]
    cells = [f'<td class="number">{value}{left if index == 0 else ""}</td>' for index, value in enumerate(shown)]
    return "".join(cells)


Places = tuple[float, float]
"""Left and right end of the scale on which the intervals are drawn."""


def _places(sweep: _Sweep) -> Places:
    """The span of the means and half of it again on each side: an interval of two seeds would dwarf all others."""
    means = [cell.estimate.mean for cell in sweep.cells.values() if cell.estimate] or [0.0]
    width = (max(means) - min(means)) or abs(means[0]) or 1.0
    return min(means) - width / 2, max(means) + width / 2


def _interval(cell: Cell, places: Places) -> str:
    """A dot at the mean and a line over the interval, cut at the ends of the scale."""
    one, (left, right) = cell.estimate, places
    if one is None:
        return '<td class="interval"></td>'
    low, mean, high = (
        min(1.0, max(0.0, (end - left) / (right - left))) if math.isfinite(end) else 0.0
        for end in (one.low, one.mean, one.high)
    )
    line = f'<i style="left:{low:.2%};width:{high - low:.2%}"></i>' if math.isfinite(one.low) else ""
    return f'<td class="interval"><div>{line}<b style="left:{mean:.2%}"></b></div></td>'


def _comparisons(sweep: _Sweep) -> Iterator[str]:
    lines = list(comparisons(sweep.table))
    if lines:
        by = f"{TESTS[sweep.table.test]}, with Holm's correction"
        yield f"<h2>Is the best better?<small>best − other, by {by}</small></h2>"
        yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _curves(sweep: _Sweep) -> Iterator[str]:
    begun = {row: cell for row, cell in sweep.cells.items() if any(job.run is not None for job in cell.jobs)}
    groups = {sweep.label(row): cell.jobs for row, cell in list(begun.items())[: len(ROLES)]}
    drawn = curves(groups, metric=sweep.metric)
    if drawn:
        which = f"the best {len(groups)} of {len(sweep.cells)} configurations; " if len(begun) > len(groups) else ""
        yield f"<h2>Training<small>{which}mean over seeds, the band from lowest to highest</small></h2>"
        yield f'<div class="charts">{"".join(drawn)}</div>'


def _importance(sweep: _Sweep) -> Iterator[str]:
    table = sweep.table
    found = importance(sweep.jobs, metric=sweep.metric, keys=table.row_keys, direction=table.direction)
    if not set(found) - {SEED}:
        return
    yield "<h2>What mattered<small>share of the ranking that lies between a key's values (η²<sub>H</sub>)</small></h2>"
    yield '<div class="scroll"><table class="held">'
    for key, share in found.items():
        role = "" if key == SEED else ' class="own"'
        bar = f'<td class="bar"><i style="width:{share:.1%}"></i></td>'
        yield f'<tr{role}><td>{escape(key)}</td><td class="number">{share:.0%}</td>{bar}</tr>'
    yield "</table></div>"
    yield '<p class="about">Each key alone, less what chance would give; keys that matter only together show nothing.</p>'


def _parallel(sweep: _Sweep) -> Iterator[str]:
    keys = sweep.table.row_keys
    known = [cell for cell in sweep.cells.values() if cell.estimate]
    if len(keys) < 2 or len(known) < 2:
        return
    best = math.ceil(len(known) / 10)
    lines = [
        Line(
            [*(_value(cell.jobs[0].varied, key) for key in keys), cell.estimate.mean], "val" if rank < best else "grey"
        )
        for rank, cell in enumerate(known)
        if cell.estimate
    ]
    which = f"the best {best} of {len(known)}" if best > 1 else "the best"
    yield f'<h2>All configurations<small><span class="key val">{which}</span></small></h2>'
    yield parallel([*keys, sweep.metric], list(reversed(lines)))


def _value(varied: Mapping[str, Any], key: str) -> Any:
    """None where there is no such key; a value that is null is a value."""
    value = varied.get(key)
    return written(value) if key in varied and value is None else value


def _costs(sweep: _Sweep) -> Iterator[str]:
    drawn = "".join(scatter(sweep.metric, _dots(sweep, key), x_name=label) for key, label in COSTS.items())
    if drawn:
        yield f'<h2>What it cost</h2><div class="charts">{drawn}</div>'


def _dots(sweep: _Sweep, key: str) -> list[Dot]:
    dots = []
    for row, cell in sweep.cells.items():
        known = [job.figures[key] for job in cell.jobs if job.state == "done" and key in job.figures]
        if cell.estimate and known:
            one = cell.estimate
            dots.append(
                Dot(sweep.label(row), math.fsum(known) / len(known), one.mean, *_near(one.low, one.high, one.sd))
            )
    return dots


def _near(low: float, high: float, sd: float) -> tuple[float, float]:
    """The interval, unless it is so wide (two seeds) that it would flatten everything else."""
    return (low, high) if high - low < 6 * sd else (math.nan, math.nan)


def _unfinished(sweep: _Sweep) -> Iterator[str]:
    states = [state for state in counted(sweep.jobs) if state != "done"]
    if states:
        yield "<h2>Jobs that are not done</h2>"
    for state in states:
        jobs = [job for job in sweep.jobs if job.state == state]
        rows = "".join(_job(sweep, job) for job in jobs[:LISTED])
        more = f'<p class="about">and {len(jobs) - LISTED} more</p>' if len(jobs) > LISTED else ""
        is_open = " open" if state == "failed" else ""
        yield f"<details{is_open}><summary>Jobs {escape(state)}<small>{len(jobs)}</small></summary>"
        yield f'<div><table class="facts">{rows}</table>{more}</div></details>'


def _job(sweep: _Sweep, job: Job) -> str:
    summary = job.run.summary if job.run is not None else {}
    step = job.figures.get("step")
    facts = [sweep.label(job.label(sweep.table.row_keys)), f"step {short(step)}" if step else "", summary.get("reason")]
    seed = "" if job.seed is None else f"seed {job.seed}"
    told = " · ".join(str(fact) for fact in (facts[0], seed, *facts[1:]) if fact)
    return f"<tr><th>{sweep.link(job, f'job {job.number}')}</th><td>{escape(told)}</td></tr>"


def _tables(sweep: _Sweep) -> Iterator[str]:
    keys = sweep.table.row_keys
    if not keys:
        return
    yield "<h2>Tables for a paper</h2>"
    chosen = [f"metric={sweep.metric}", f"rows={keys[0]}", *([f"columns={keys[1]}"] if len(keys) > 1 else [])]
    chosen += [] if sweep.table.test == "seed" else [f"test={sweep.table.test}"]
    for form in ("latex", "markdown", "csv"):
        yield command(shlex.join(["lmlab", "report", str(sweep.folder), *chosen, f"format={form}"]))
