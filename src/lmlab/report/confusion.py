"""The confusion matrix of a run as a table: rows are the truth, shaded by their share; of many classes what is mixed up most."""

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

FILE, TABLE = "confusion_{split}.json", "confusion_{split}.csv"
"""In the run's folder."""

MOST = 16
"""Classes of a table with a row and a column for each."""

PAIRS = 20
"""Pairs that are shown of more classes, and labels where several may hold."""


def confusion(folder: Path) -> str:
    """The table of the test split, else of the validation split; nothing where the run has none."""
    found = _found(folder)
    return "" if found is None else "".join(_table(json.loads(found[1].read_text(encoding="utf-8")), *found))


def table_of(folder: Path) -> Path | None:
    """The CSV of the same split; None where the run has none."""
    found = _found(folder)
    return None if found is None else found[1].with_suffix(".csv")


def _found(folder: Path) -> tuple[str, Path] | None:
    for split in ("test", "val"):
        path = folder / FILE.format(split=split)
        if path.exists():
            return split, path
    return None


def _table(found: dict[str, Any], split: str, path: Path) -> Iterator[str]:
    labels = found["labels"]
    note = f"{split} split; all of it in {path.with_suffix('.csv').name}"
    if "counts" in found:
        yield f"<h2>Labels <small>{note}</small></h2>"
        yield from _of_several(labels, found["counts"])
    elif len(labels) <= MOST:
        yield f"<h2>What was taken for what <small>{note}</small></h2>"
        yield from _matrix(labels, found["cells"])
    else:
        yield f"<h2>What was mixed up most <small>{note}</small></h2>"
        yield from _pairs(labels, found["cells"])


def _matrix(labels: Sequence[str], cells: Sequence[Sequence[int]]) -> Iterator[str]:
    counts = {(row, column): count for row, column, count in cells}
    heads = "".join(f'<th class="number">{escape(label)}</th>' for label in labels)
    yield f'<div class="scroll"><table class="confusion"><tr><th>truth \\ taken for</th>{heads}<th class="number">right</th></tr>'
    for row, label in enumerate(labels):
        total = sum(counts.get((row, column), 0) for column in range(len(labels)))
        shown = "".join(_cell(counts.get((row, column), 0), total, row == column) for column in range(len(labels)))
        yield f'<tr><th>{escape(label)}</th>{shown}<td class="number soft">{_share(counts.get((row, row), 0), total)}</td></tr>'
    yield "</table></div>"


def _cell(count: int, total: int, is_right: bool) -> str:
    """Shaded by its share of the row."""
    strength = 100 * count / total if total else 0.0
    kind = "right" if is_right else "wrong"
    shown = f"{count:,}" if count else "·"
    return f'<td class="number {kind}" style="--share:{strength:.0f}%" title="{_share(count, total)} of the row">{shown}</td>'


def _pairs(labels: Sequence[str], cells: Sequence[Sequence[int]]) -> Iterator[str]:
    totals: dict[int, int] = {}
    for row, _, count in cells:
        totals[row] = totals.get(row, 0) + count
    wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: -cell[2])[:PAIRS]
    if not wrong:
        yield '<p class="about">Nothing.</p>'
        return
    heads = '<th class="number">times</th><th class="number">of the truth</th>'
    yield f'<div class="scroll"><table class="pairs"><tr><th>truth</th><th>taken for</th>{heads}</tr>'
    for row, column, count in wrong:
        share = _share(count, totals[row])
        numbers = f'<td class="number">{count:,}</td><td class="number">{share}</td>'
        yield f"<tr><td>{escape(labels[row])}</td><td>{escape(labels[column])}</td>{numbers}</tr>"
    yield "</table></div>"


def _of_several(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Iterator[str]:
    heads = "".join(
        f'<th class="number">{name}</th>' for name in ("there", "found", "missed", "false", "precision", "recall")
    )
    yield f'<div class="scroll"><table class="pairs"><tr><th>label</th>{heads}</tr>'
    rows = sorted(zip(labels, counts), key=lambda pair: -(pair[1][1] + pair[1][2]))[:PAIRS]
    for label, (right, missed, false, _) in rows:
        figures = [f"{right + missed:,}", f"{right:,}", f"{missed:,}", f"{false:,}"]
        figures += [_share(right, right + false), _share(right, right + missed)]
        cells = "".join(f'<td class="number">{shown}</td>' for shown in figures)
        yield f"<tr><td>{escape(label)}</td>{cells}</tr>"
    yield "</table></div>"


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "–"
