"""The table of a sweep, as `lmlab report SWEEP metric=val/loss rows=model columns=data format=latex` asks for it.

Of several metrics the first is tested, and the others stand beside it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab import config as configuration
from lmlab.types import Mistake

if TYPE_CHECKING:
    from lmlab.report.job import Job

KEYS = ("metric", "rows", "columns", "direction", "test", "format")


def report_sweep(folder: Path, words: Sequence[str]) -> int:
    """Prints the sweep's table; as text, it also writes its page and prints the path."""
    from lmlab.launcher.table import jobs_of
    from lmlab.report.execution import compared, figures_for
    from lmlab.report.job import varied_keys
    from lmlab.report.sweep_format import FORMATS
    from lmlab.report.sweep_html import write_sweep_report
    from lmlab.report.sweep_table import direction_of, sweep_table

    jobs, chosen = compared(jobs_of(folder)), settings(words)
    own_metric, own_direction = optimised(jobs)
    metric, *more = listed(chosen.get("metric")) or [own_metric, *figures_for(jobs)]
    keys = varied_keys(jobs)
    columns = listed(chosen.get("columns"))
    rows = listed(chosen["rows"]) if "rows" in chosen else [key for key in keys if key not in columns]
    check(jobs, metrics=[metric, *(more if "metric" in chosen else [])], rows=rows, columns=columns)
    usual = own_direction if own_direction and metric == own_metric else direction_of(metric)
    form = one_of("format", chosen, list(FORMATS))
    direction: Any = one_of("direction", chosen, [usual, "minimize", "maximize"])
    test: Any = one_of("test", chosen, ["seed", "bootstrap", "randomisation"])
    table = sweep_table(jobs, metric=metric, rows=rows, columns=columns, direction=direction, more=more, test=test)
    sys.stdout.write(FORMATS[form](table))
    if form == "text":
        name = folder.resolve().name
        test = "seed" if columns else test  # the page has no columns: its rows may differ in their examples
        page = write_sweep_report(folder, jobs, name=name, metric=metric, direction=table.direction, test=test)
        sys.stdout.write(f"\n{page}\n")
    return 0


def settings(words: Sequence[str]) -> dict[str, str]:
    """The keys of a sweep's table."""
    pairs = [word.partition("=") for word in words]
    for key, sign, _ in pairs:
        if key not in KEYS or not sign:
            raise Mistake(f"lmlab report has no key {key!r}; {configuration.nearest(key, KEYS)}")
    return {key: value for key, _, value in pairs}


def listed(value: str | None) -> list[str]:
    """`rows=model,data` -> its keys; `rows=null` -> none."""
    return [] if value in (None, "", "null") else [key.strip() for key in str(value).strip("[]").split(",")]


def check(jobs: Sequence["Job"], *, metrics: Sequence[str], rows: Sequence[str], columns: Sequence[str]) -> None:
    """Refuses what no job of the sweep has."""
    from lmlab.report.job import varied_keys

    figures = sorted({key for job in jobs for key in job.figures})
    for metric in metrics:
        if figures and metric not in figures:
            raise Mistake(f"no job has metric={metric}; {configuration.nearest(metric, figures)}")
    keys = varied_keys(jobs)
    for axis, wanted in (("rows", rows), ("columns", columns)):
        for key in wanted:
            if key == "seed":
                raise Mistake(f"{axis}=seed: a seed is a replicate, averaged in every table; take seed out of {axis}")
            if key not in keys:
                raise Mistake(f"{axis}={key}: this does not vary in the sweep; {configuration.nearest(key, keys)}")
            if key in rows and key in columns:
                raise Mistake(f"{key} is in rows and in columns; name it in one of them")


def one_of(key: str, chosen: dict[str, str], known: Sequence[str]) -> str:
    """The value of a key that has few; the first where the user chose none."""
    value = chosen.get(key, known[0])
    if value not in known:
        raise Mistake(f"{key}={value} is wrong: expected {', '.join(dict.fromkeys(known))}")
    return value


def optimised(jobs: Sequence["Job"]) -> tuple[str, str | None]:
    """The figure that the sweep optimises, or its runs watch, and which way it is better."""
    run = next((job.run for job in jobs if job.run is not None), None)
    config = run.config if run is not None else {}
    sweep = config.get("sweep")
    for metric, direction in (
        (sweep.get("metric"), sweep.get("direction")) if isinstance(sweep, dict) else (None, None),
        (config.get("monitor"), config.get("direction")),
    ):
        if isinstance(metric, str):
            return metric, direction if isinstance(direction, str) else None
    return "val/loss", "minimize"
