"""The lines of an evaluation set as people download it: UTF-8, with or without CRLF and a byte order mark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lmlab.types import Mistake

ADVICE = "correct or remove the line, or fetch the file again"


def eval_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines, without blank ones and without comments, which begin with # or //."""
    # Split at b"\n" only: str.splitlines() also splits within a line, at U+0085 and U+2028.
    for number, content in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = content.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            byte = content[error.start : error.start + 1].hex()
            raise Mistake(f"{path}, line {number} is not UTF-8: byte 0x{byte}; {ADVICE}") from None
        if line and not line.startswith(("#", "//")):
            yield number, line
