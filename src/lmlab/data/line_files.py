"""Parallel text: line n of one file is the source of line n of another.

Lines end at "\\n" or "\\r\\n" alone: str.splitlines() also splits within a text, at U+0085 and U+2028, and then line n of
one file belongs to another line of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lmlab.data.characters import check_characters, whole_text
from lmlab.data.found import Fault, Found
from lmlab.examples import SourceTarget
from lmlab.types import Mistake


@dataclass(frozen=True)
class LineFiles:
    """A file of sources and one or more of their targets; lines that are empty in all of them stand for nothing."""

    source: Path
    targets: tuple[Path, ...]
    encoding: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """The source's, then the targets'."""
        return (self.source, *self.targets)

    def form(self) -> list[str]:
        return [self.encoding]

    def examples(self, *, skip: bool) -> Iterator[Found[SourceTarget]]:
        lines = [_lines(path, self.encoding, skip=skip) for path in self.paths]
        for path, own in zip(self.targets, lines[1:]):
            if len(own) != len(lines[0]):
                raise Mistake(
                    f"{self.source} has {len(lines[0])} lines and {path} has {len(own)}, but each line of the one belongs "
                    "to a line of the other; correct them, or name other files"
                )
        for number, texts in enumerate(zip(*lines), start=1):
            if any(text.strip() for text in texts):
                yield self._found(f"line {number}", texts)

    def _found(self, place: str, texts: tuple[str, ...]) -> Found[SourceTarget]:
        for path, text in zip(self.paths, texts):
            try:
                check_characters(text, self.encoding)
                if not text.strip():
                    raise Fault("is empty, and what belongs to it is not", "write a text, or take both lines away")
            except Fault as fault:
                return Found(path, place, fault)
        return Found(self.source, place, SourceTarget(texts[0], texts[1:]), texts[0])


def _lines(path: Path, encoding: str, *, skip: bool) -> list[str]:
    text = whole_text(path, encoding, skip=skip, holds="lines")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
