"""Runs as rows: columns of their config and their figures, filtered and sorted, as text, Markdown or CSV."""

import csv
import io
import math
import operator
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from lmlab.report.figure import duration, figure
from lmlab.report.record import Record, flat
from lmlab.types import Mistake

COLUMNS = ("id", "name", "status", "step", "val/loss", "test/loss", "seconds", "overrides")
"""What is shown where the user names no columns."""

ABOUT = ("id", "name", "project", "status", "created", "overrides", "fingerprint")

LONG = ("name", "overrides", "tags")

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}


@dataclass(frozen=True)
class Rows:
    """A table: one mapping per run, by column; a run without a value has none."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


def rows(
    runs: Iterable[Record], *, columns: Sequence[str] = COLUMNS, filters: Sequence[str] = (), sort: str | None = None
) -> Rows:
    """The runs that fulfil every filter (`seed=1`, `val/loss<1.9`), sorted by a column (`-val/loss`: downwards)."""
    conditions = [_condition(text) for text in filters]
    kept = [run for run in runs if all(condition(run) for condition in conditions)]
    if sort is not None:
        key = sort.removeprefix("-")
        known = [run for run in kept if value(run, key) is not None]
        unknown = [run for run in kept if value(run, key) is None]
        known.sort(key=lambda run: _rank(value(run, key)), reverse=sort.startswith("-"))
        kept = [*known, *unknown]  # whichever way: a run without the figure is last
    return Rows(columns, [{column: value(run, column) for column in columns} for run in kept])


def value(run: Record, key: str) -> Any:
    """What stands under a key: of the run itself, its summary, or its config; None where there is nothing."""
    if key in ABOUT:
        found = getattr(run, key)
        return " ".join(found) if key == "overrides" else found
    summary = run.summary
    if key in summary:
        return summary[key]
    found = run.config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def text(table: Rows, *, width: int | None = None) -> str:
    """For a terminal of `width`: names and overrides are folded to fit, figures never; empty columns are left out."""
    cells = {column: [_cell(column, row[column]) for row in table.rows] for column in table.columns}
    cells = {column: shown for column, shown in cells.items() if any(shown)}
    least = {column: 12 if column in LONG else max(map(len, [column, *shown])) for column, shown in cells.items()}
    terminal = Table(box=None, header_style="bold", pad_edge=False)
    for column in cells:
        is_figure = any(isinstance(row[column], (int, float)) for row in table.rows)
        justify: Literal["left", "right"] = "right" if is_figure else "left"
        terminal.add_column(column, justify=justify, no_wrap=column not in LONG, overflow="fold")
    for line in zip(*cells.values()):
        terminal.add_row(*line)
    target = io.StringIO()
    columns = max(width or shutil.get_terminal_size((200, 24)).columns, sum(least.values()) + 2 * len(least))
    Console(file=target, width=columns, markup=False, highlight=False).print(terminal)
    return target.getvalue()


def markdown(table: Rows) -> str:
    """For a README or an issue."""
    lines = [table.columns, ["---"] * len(table.columns)]
    lines += [[_cell(column, row[column]) for column in table.columns] for row in table.rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def to_csv(table: Rows) -> str:
    """For other programs: figures in full."""
    target = io.StringIO()
    writer = csv.DictWriter(target, fieldnames=list(table.columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.rows)
    return target.getvalue()


def _condition(text: str) -> Callable[[Record], bool]:
    match = re.fullmatch(r"([^<>=!\s]+)\s*(<=|>=|!=|<|>|=)\s*(.*)", text)
    if match is None:
        raise Mistake(
            f"{text!r} is no filter; expected a key, one of {' '.join(COMPARISONS)}, and a value: val/loss<1.9"
        )
    key, sign, wanted = match.groups()
    compare = COMPARISONS[sign]

    def holds(run: Record) -> bool:
        found = value(run, key)
        if sign in ("=", "!="):
            return compare(_same(found), _same(wanted))
        number = _float(wanted)
        if number is None:
            raise Mistake(f"{text!r} compares with {wanted!r}, which is no number")
        return isinstance(found, (int, float)) and compare(found, number)

    return holds


def _same(value: Any) -> Any:
    """Values are equal as the user writes them: 1e-3 and 0.001, true and True, null and nothing."""
    written = {"true": True, "false": False, "null": None, "none": None}
    if isinstance(value, str) and value.lower() in written:
        return str(written[value.lower()])
    number = _float(value)
    return str(value) if number is None else number


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _rank(value: Any) -> tuple[int, Any]:
    """Numbers, then NaN, then texts."""
    if isinstance(value, (int, float)):
        return (1, 0.0) if math.isnan(value) else (0, value)
    return (2, str(value))


def _cell(column: str, value: Any) -> str:
    if column == "seconds" and isinstance(value, (int, float)):
        return duration(value)
    return figure(value)


def every_key(runs: Iterable[Record]) -> list[str]:
    """All that can be a column: for a message, or completion."""
    found = {key for run in runs for key in (*flat(run.summary), *flat(run.config))}
    return [*ABOUT, *sorted(found)]
