"""The rows of a table file as texts with their targets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lmlab.data.characters import check_characters
from lmlab.data.form import Column, Form
from lmlab.data.found import Fault, Found
from lmlab.data.rows import read_rows
from lmlab.examples import SourceTarget
from lmlab.types import Mistake

Columns = Column | Sequence[Column]
"""One, or several."""


@dataclass(frozen=True, kw_only=True)
class PairRows:
    """A table file of which every row is an example."""

    path: Path
    layout: Form
    encoding: str
    source: Columns
    """Several columns, and the texts of a list in JSON, are one source."""
    target: Columns
    """Several columns, and the texts of a list in JSON, are as many targets; an empty one is none."""
    join: str
    """Stands between the texts of a source."""
    split_by: Column | None
    """Rows that are equal here come into one split; None: those of equal sources."""

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def columns(self) -> list[tuple[str, Column]]:
        """Every column that is read, with its key."""
        return [
            *(("data.source", column) for column in _columns(self.source)),
            *(("data.target", column) for column in _columns(self.target)),
            *(("data.split_by", column) for column in _columns(self.split_by)),
        ]

    def check(self) -> None:
        """Refuse what cannot be read, before there are files."""
        for key, columns in (("source", _columns(self.source)), ("target", _columns(self.target))):
            if not columns or "" in columns:
                raise Mistake(f"data.{key} is empty; set data.{key} to a column, by name or by number from 0")
        for column in _columns(self.source):
            if column in _columns(self.target):
                raise Mistake(f"data.target={column} is a column of data.source; set data.target to another")
        self.layout.check(self.columns)

    def form(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "path"}

    def examples(self, *, skip: bool) -> Iterator[Found[SourceTarget]]:
        for line, row in read_rows(self.path, self.layout, self.columns, encoding=self.encoding, skip=skip):
            yield self._found(f"line {line}", row)

    def _found(self, place: str, row: list[Any] | Fault) -> Found[SourceTarget]:
        if isinstance(row, Fault):
            return Found(self.path, place, row)
        first = len(_columns(self.source))
        last = first + len(_columns(self.target))
        try:
            source = self.join.join(self._texts(row[:first], "source"))
            example = SourceTarget(source, tuple(self._texts(row[first:last], "target")))
            group = source if self.split_by is None else json.dumps(row[last:])
        except Fault as fault:
            return Found(self.path, place, fault)
        return Found(self.path, place, example, group)

    def _texts(self, values: Sequence[Any], key: str) -> list[str]:
        """The texts of some columns that are not empty; at least one."""
        parts = [part for value in values for part in (value if isinstance(value, list) else [value])]
        for part in parts:
            if part is not None and not isinstance(part, str):
                raise Fault(f"has for a text what is none: {json.dumps(part)[:30]}", f"set data.{key} to text")
        texts = [part for part in parts if part and part.strip()]
        if not texts:
            raise Fault(f"has an empty {key}", f"write a text, or set data.{key} to another column")
        for text in texts:
            check_characters(text, self.encoding)
        return texts


def _columns(columns: Columns | None) -> tuple[Column, ...]:
    if columns is None:
        return ()
    return (columns,) if isinstance(columns, str | int) else tuple(columns)
