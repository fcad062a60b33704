"""Confusion matrices in a run's folder, one for each split that was evaluated, as JSON for pages and as CSV for tables."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lmlab.metric.confusion import Confused
from lmlab.report.confusion import FILE
from lmlab.run import json_file

COUNTS = ("right", "missed", "false", "right to leave out")
"""Of one of several labels."""


def keep_confusion(folder: Path, task: Any, labels: Sequence[str], splits: Sequence[str] = ("val", "test")) -> None:
    """Writes what the last evaluation of each split took for what; removes what an earlier one left."""
    for split in splits:
        metric = task.metrics["test" if split == "train" else split]
        found = metric.last_confusion if isinstance(metric, Confused) else None
        for path in places(folder, split):
            path.unlink(missing_ok=True)
        if found is not None:
            page, table = places(folder, split)
            json_file.write(page, as_json(found, labels))
            json_file.write_text(table, as_csv(found, labels))


def places(folder: Path, split: str) -> tuple[Path, Path]:
    """Of the JSON and of the CSV."""
    page = folder / FILE.format(split=split)
    return page, page.with_suffix(".csv")


def as_json(found: Any, labels: Sequence[str]) -> dict[str, Any]:
    """The labels and the cells that are not 0: [truth, taken for, how often]; or of each of several labels COUNTS."""
    if found.ndim == 3:
        return {"labels": [*labels], "counts": [_counts(one) for one in found]}
    cells = np.argwhere(found).tolist()
    return {"labels": [*labels], "cells": [[row, column, int(found[row, column])] for row, column in cells]}


def as_csv(found: Any, labels: Sequence[str]) -> str:
    """A row for each true class, a column for each that it was taken for; or of each of several labels COUNTS."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if found.ndim == 3:
        writer.writerows([["label", *COUNTS], *([label, *_counts(one)] for label, one in zip(labels, found))])
    else:
        rows = ([label, *row] for label, row in zip(labels, found.tolist()))
        writer.writerows([["truth \\ taken for", *labels], *rows])
    return text.getvalue()


def _counts(one: Any) -> list[int]:
    (left_out, false), (missed, right) = one.tolist()
    return [right, missed, false, left_out]
