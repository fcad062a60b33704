"""How a table file is written: its format, what stands between its columns, and whether they have names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmlab.types import Mistake

Column = str | int
"""A name, or a number from 0."""

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
SUFFIXES = tuple(suffix + packed for packed in ("", ".gz") for suffix in FORMATS)
"""What counts as a table in a folder; a file that is named itself may be called anything."""

SEPARATORS = {"csv": ",", "tsv": "\t"}
TYPED = {"\\t": "\t", "tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "bar": "|"}
"""Separators as they may be typed, without quotes inside quotes."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """Of one file; `None` is explained in conf/data/pair_table.yaml."""

    format: str
    separator: str | None
    quoting: bool | None
    header: bool
    names: Sequence[str] | None
    """Of the columns, where there is no header."""
    columns: int | None
    """Only so many: the last one holds the rest of the line."""
    key: str = "data.layout"
    """Where these are set, for messages."""

    def check(self, wanted: Sequence[tuple[str, Column]]) -> None:
        """Refuse what cannot be read, before there are files; `wanted` are the columns with their keys."""
        if self.format not in ("auto", *FORMATS.values()):
            raise Mistake(
                f"{self.key}.format={self.format} is not known; set {self.key}.format to auto, csv, tsv or jsonl"
            )
        if self.names and self.header:
            raise Mistake(f"{self.key}.names is for files without a header; set {self.key}.header=false, or names=null")
        if self.format in ("csv", "tsv"):
            self.check_numbers(wanted)

    def check_numbers(self, wanted: Sequence[tuple[str, Column]]) -> None:
        """Refuse names of columns where columns have none."""
        named = [(key, column) for key, column in wanted if isinstance(column, str)]
        if named and not self.header and not self.names:
            key, column = named[0]
            raise Mistake(
                f"{key}={column} is a name, but with {self.key}.header=false columns have none; "
                f"set {key} to a number from 0"
            )

    def format_of(self, path: Path) -> str:
        """csv, tsv or jsonl."""
        if self.format != "auto":
            return self.format
        suffix = Path(path.name.lower().removesuffix(".gz")).suffix
        if suffix not in FORMATS:
            raise Mistake(
                f"{self.key}.format=auto knows no {suffix or 'suffix'} of {path}; "
                f"set {self.key}.format to csv, tsv or jsonl"
            )
        return FORMATS[suffix]

    def separator_of(self, format: str) -> str:
        """What stands between two columns."""
        if self.separator is None:
            return SEPARATORS[format]
        separator = TYPED.get(self.separator, self.separator)
        if not separator or set(separator) & set('"\r\n') or (self.quoted(format) and len(separator) > 1):
            raise Mistake(
                f"{self.key}.separator={self.separator} cannot stand between columns; set {self.key}.separator to one "
                "character, or to tab, space, comma, semicolon or bar"
                + (f", or {self.key}.quoting=false" if len(separator) > 1 else "")
            )
        return separator

    def quoted(self, format: str) -> bool:
        """Whether quotes enclose columns, and are not characters like others."""
        return format == "csv" if self.quoting is None else self.quoting
