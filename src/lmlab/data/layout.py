"""How a table is written: which columns hold text and label, and what stands between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmlab.data.document import check_encoding
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
class Layout:
    """Of one file; `None` is explained in conf/data/table.yaml and conf/data/labelled_files.yaml."""

    text: Column | Sequence[Column]
    label: Column | None
    join: str | None
    label_separator: str | None
    format: str
    separator: str | None
    quoting: bool | None
    header: bool
    encoding: str
    columns: int | None = None
    """Only so many: the last one holds the rest of the line."""
    label_until: str | None = None
    """Where a label ends."""
    label_names: Mapping[str, str] | None = None
    """What the labels of the file mean; it has no others."""
    replace: Sequence[Sequence[str]] | None = None
    """Pairs of what stands in a text and what it stands for, applied one after the other."""

    @property
    def texts(self) -> tuple[Column, ...]:
        """The columns of text."""
        return (self.text,) if isinstance(self.text, str | int) else tuple(self.text)

    def check(self, on_error: str) -> None:
        """Refuse what cannot be read, before there are files."""
        check_encoding(self.encoding, on_error, ("strict", "skip"))
        if self.label is None or self.label == "":
            raise Mistake("data.label=null leaves nothing to learn; set data.label to the column of the labels")
        if self.format not in ("auto", *FORMATS.values()):
            raise Mistake(f"data.format={self.format} is not known; set data.format to auto, csv, tsv or jsonl")
        if not self.texts or "" in self.texts:
            raise Mistake("data.text is empty; set data.text to the column of the texts, or to two for pairs")
        if self.join is None and len(self.texts) > 2:
            raise Mistake(
                f"data.text={shown(self.texts)} are {len(self.texts)} columns: one is a text, two are a pair; "
                'set data.join=" " to make one text of them'
            )
        if self.label in self.texts:
            raise Mistake(f"data.label={self.label} is a column of data.text; set data.label to another")
        if self.label_separator == "":
            raise Mistake(
                "data.label_separator is empty; set data.label_separator to what stands between labels, or null"
            )
        if not self.header and self.format in ("csv", "tsv"):
            self.check_numbers()

    def check_numbers(self) -> None:
        """Refuse names of columns where there is no header."""
        for key, columns in (("text", self.texts), ("label", (self.label,))):
            named = [column for column in columns if isinstance(column, str)]
            if named:
                raise Mistake(
                    f"data.{key}={named[0]} is a name, but with data.header=false columns have none; "
                    f"set data.{key} to a number from 0"
                )

    def format_of(self, path: Path) -> str:
        """csv, tsv or jsonl."""
        if self.format != "auto":
            return self.format
        suffix = Path(path.name.lower().removesuffix(".gz")).suffix
        if suffix not in FORMATS:
            raise Mistake(
                f"data.format=auto knows no {suffix or 'suffix'} of {path}; set data.format to csv, tsv or jsonl"
            )
        return FORMATS[suffix]

    def separator_of(self, format: str) -> str:
        """What stands between two columns."""
        if self.separator is None:
            return SEPARATORS[format]
        separator = TYPED.get(self.separator, self.separator)
        if not separator or set(separator) & set('"\r\n') or (self.quoted(format) and len(separator) > 1):
            raise Mistake(
                f"data.separator={self.separator} cannot stand between columns; set data.separator to one character, or to "
                "tab, space, comma, semicolon or bar" + (", or data.quoting=false" if len(separator) > 1 else "")
            )
        return separator

    def quoted(self, format: str) -> bool:
        """Whether quotes enclose columns, and are not characters like others."""
        return format == "csv" if self.quoting is None else self.quoting


def shown(columns: Sequence[Column]) -> str:
    """Columns as one types them."""
    return f"[{','.join(map(str, columns))}]"
