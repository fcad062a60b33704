"""Pairs of words with the similarity that people gave them: WordSim-353, SimLex-999, MEN, RW and their like.

One pair a line: two words and then cells, the first number among which is the score (SimLex-999 has a part of speech
before it, RW and WordSim's set1.csv the single judgements behind it). Cells are parted by tabs, commas, semicolons or blanks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lmlab.data.eval_lines import ADVICE, eval_lines
from lmlab.types import Mistake, WordPair

HEADER = re.compile("word|score")


def read_word_pairs(path: Path) -> tuple[WordPair, ...]:
    """The pairs of a file, in its order; a header may be its first line."""
    lines = list(eval_lines(path))
    split = _splitter([line for _, line in lines[:2]])
    rows = [(number, split(line)) for number, line in lines]
    column = _score_column([cells for _, cells in rows[:2]])
    if rows and _number(rows[0][1], column) is None and HEADER.search(lines[0][1].lower()):
        rows = rows[1:]
    if not rows:
        raise Mistake(f"{path} holds no pair of words; expected lines of two words and a number")
    return tuple(_pair(path, number, cells, column) for number, cells in rows)


def _splitter(lines: Sequence[str]) -> Callable[[str], list[str]]:
    """How the first lines are parted into cells: by the first of the signs that stands in all of them."""
    sign = next((sign for sign in "\t,;" if lines and all(sign in line for line in lines)), None)
    return lambda line: [cell.strip() for cell in line.split(sign)]


def _score_column(rows: Sequence[list[str]]) -> int:
    """That of the last row given, since the first may be a header, with numbers as names of its columns."""
    last = rows[-1] if rows else []
    return next((column for column in range(2, len(last)) if _number(last, column) is not None), 2)


def _number(cells: list[str], column: int) -> float | None:
    try:
        value = float(cells[column])
    except (ValueError, IndexError):
        return None
    return value if math.isfinite(value) else None


def _pair(path: Path, number: int, cells: list[str], column: int) -> WordPair:
    score = _number(cells, column)
    if score is None or not cells[0] or not cells[1]:
        found = " | ".join(cells)[:80]
        raise Mistake(f"{path}, line {number}: expected two words and a number, found {found!r}; {ADVICE}")
    return WordPair(cells[0], cells[1], score)
