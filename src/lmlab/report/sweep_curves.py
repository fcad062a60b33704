"""Curves of a sweep: a metric by step, as mean over the seeds of a configuration with a band from lowest to highest."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lmlab.report.chart import Series, chart
from lmlab.report.html import NAMES
from lmlab.report.job import Job

ROLES = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")

MOST_SEEDS = 10
"""Per configuration; the files of more are not read."""

Trace = Mapping[int, float]
"""One run's values of one metric, by step."""


def curves(groups: Mapping[str, Sequence[Job]], *, metric: str) -> list[str]:
    """A chart for each split in which the runs wrote the metric, the held-out one first; at most eight groups."""
    shown = dict(list(groups.items())[: len(ROLES)])
    lines = {label: [job.run.metrics() for job in _read(jobs) if job.run is not None] for label, jobs in shown.items()}
    keys = _keys([line for runs in lines.values() for run in runs for line in run], metric)
    drawn = []
    for key in keys:
        series = [
            _series(label, [_trace(run, key) for run in runs], role)
            for (label, runs), role in zip(lines.items(), ROLES)
        ]
        last_step = max((step for one in series for step, _ in one.points), default=0)
        split, _, name = key.rpartition("/")
        title = NAMES.get(name) or name.replace("_", " ").capitalize()
        is_log = "perplexity" in name
        drawn.append(
            chart(f"{title}, {split}" if split else title, series, last_step=last_step, is_log=is_log, is_large=True)
        )
    return [one for one in drawn if one]


def _read(jobs: Sequence[Job]) -> list[Job]:
    """The done jobs, or, where there are none, those that have begun: a half run would bend the mean."""
    done = [job for job in jobs if job.state == "done"]
    return (done or list(jobs))[:MOST_SEEDS]


def _keys(lines: Sequence[Mapping[str, Any]], metric: str) -> list[str]:
    """Where the runs wrote the metric: its name in any split, or the loss where it is of the end only."""
    known = sorted({key for line in lines for key in line})
    for name in (metric.rpartition("/")[2], "loss"):
        keys = [key for key in known if key.rpartition("/")[2] == name]
        if keys:
            return sorted(keys, key=lambda key: not key.startswith("val/"))
    return []


def _trace(run: Sequence[Mapping[str, Any]], key: str) -> Trace:
    return {line["step"]: float(line[key]) for line in run if isinstance(line.get(key), (int, float))}


def _series(label: str, traces: Sequence[Trace], role: str) -> Series:
    """Over the steps at which every run has a value, so that the mean never jumps as one drops out."""
    known = [trace for trace in traces if trace]
    if not known:
        return Series(label, [], role)
    steps = sorted(set(known[0]).intersection(*known[1:]))
    points = [(step, math.fsum(trace[step] for trace in known) / len(known)) for step in steps]
    ends = [(step, [trace[step] for trace in known]) for step in steps]
    band = [(step, min(values), max(values)) for step, values in ends] if len(known) > 1 else []
    return Series(label, points, role, band)
