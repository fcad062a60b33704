"""Files with a token a line in columns and an empty line between sentences, as the shared tasks of CoNLL have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmlab.data.characters import check_characters, whole_text
from lmlab.data.document import check_encoding
from lmlab.data.form import TYPED
from lmlab.data.found import Fault
from lmlab.examples import Tagged
from lmlab.types import Mistake

FORMATS = ("auto", "columns", "conllu")

SUFFIXES = tuple(
    suffix + packed
    for packed in ("", ".gz")
    for suffix in (".conll", ".conllu", ".conll2003", ".bio", ".iob", ".tsv", ".txt")
)
"""What counts in a folder; a file that is named itself may be called anything."""

DOCUMENT = "-DOCSTART-"
"""The word of a line that stands between the documents of CoNLL 2003."""


@dataclass(frozen=True, kw_only=True)
class ColumnLayout:
    """Of a file; see conf/data/columns.yaml."""

    format: str
    word: int | None
    tag: int | None
    separator: str | None
    comment: str | None
    encoding: str

    def check(self, on_error: str, ways: Sequence[str]) -> None:
        """Refuse what cannot be read, before there are files."""
        check_encoding(self.encoding, on_error, ways)
        if self.format not in FORMATS:
            raise Mistake(f"data.format={self.format} is not known; set data.format to auto, columns or conllu")
        if self.comment == "":
            raise Mistake("data.comment is empty; set data.comment to what comments begin with, or to null")
        if self.separator is not None and not self.separator_of(is_conllu=False):
            raise Mistake("data.separator is empty; set data.separator to tab or another character, or to null")

    def is_conllu(self, path: Path) -> bool:
        """Whether it has comments, ten columns, and lines that are no words (https://universaldependencies.org/format.html)."""
        if self.format == "auto":
            return path.name.lower().removesuffix(".gz").endswith(".conllu")
        return self.format == "conllu"

    def separator_of(self, *, is_conllu: bool) -> str | None:
        """None: any white space."""
        if self.separator is None:
            return "\t" if is_conllu else None
        return TYPED.get(self.separator, self.separator)


@dataclass(frozen=True)
class Sentence:
    """One of a file."""

    source: Path
    lines: tuple[int, ...]
    """The number of each word's line, from 1."""
    content: Tagged


@dataclass(frozen=True)
class Unreadable:
    """In place of a sentence."""

    source: Path
    line: int
    fault: Fault


def read_sentences(path: Path, layout: ColumnLayout, *, skip: bool) -> Iterator[Sentence | Unreadable]:
    """Of a sentence of which something is wrong the first fault."""
    words: list[tuple[int, str, str]] = []
    fault: tuple[int, Fault] | None = None
    reader = LineReader(path, layout)
    text = whole_text(path, layout.encoding, skip=skip, holds="a token a line")
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if reader.is_comment(line):
            continue
        if line.strip() and line.split()[0] != DOCUMENT:
            try:
                if fault is None and (found := reader.word(line)) is not None:
                    words.append((number, *found))
            except Fault as error:
                fault = (number, error)
            continue
        if fault is not None:
            yield Unreadable(path, *fault)
        elif words:
            numbers, texts, tags = zip(*words)
            yield Sentence(path, numbers, Tagged(texts, tags))
        words, fault = [], None


class LineReader:
    """The lines of one file: they have as many columns as its first word."""

    def __init__(self, path: Path, layout: ColumnLayout) -> None:
        self.path, self.layout = path, layout
        self.is_conllu = layout.is_conllu(path)
        self.separator = layout.separator_of(is_conllu=self.is_conllu)
        self.comment = "#" if self.is_conllu and layout.comment is None else layout.comment
        self.width = 0
        self.columns = (0, 0)

    def is_comment(self, line: str) -> bool:
        return self.comment is not None and line.startswith(self.comment)

    def word(self, line: str) -> tuple[str, str] | None:
        """Word and tag; None of what is no word: CoNLL-U's tokens of several words, and words that are left out."""
        content = line.removesuffix("\r")
        parts = [part.strip() for part in content.split(self.separator)]
        if not self.width:
            self.width, self.columns = len(parts), self._columns(parts)
        if len(parts) != self.width:
            columns = f"{len(parts)} column{'s' * (len(parts) != 1)}"
            raise Fault(f"has {columns} in place of {self.width}", "correct it, or data.separator")
        if self.is_conllu and not parts[0].isdigit():
            return None
        word, tag = (parts[column] for column in self.columns)
        for name, text in (("word", word), ("tag", tag)):
            if not text:
                raise Fault(f"has no {name}", "correct it, or data.separator")
            check_characters(text, self.layout.encoding)
        return word, tag

    def _columns(self, first: Sequence[str]) -> tuple[int, int]:
        """Where word and tag stand, given the first line's columns."""
        if len(first) == 1:
            raise Mistake(
                f"{self.path} has one column, and a word and a tag are two: {first[0][:30]}; set data.separator, or data.path "
                "to another file"
            )
        own = (1, 3) if self.is_conllu else (0, -1)
        chosen = [
            default if given is None else given for given, default in zip((self.layout.word, self.layout.tag), own)
        ]
        for key, column in zip(("word", "tag"), chosen):
            if not -len(first) <= column < len(first):
                raise Mistake(
                    f"data.{key}={column} is no column of {self.path}, whose lines have {len(first)}; set data.{key} to a number "
                    f"from 0 to {len(first) - 1}, or from -1 to count from the end"
                )
        word, tag = (column % len(first) for column in chosen)
        if word == tag:
            raise Mistake(
                f"data.word={chosen[0]} and data.tag={chosen[1]} are one column of {self.path}; change data.tag"
            )
        return word, tag
