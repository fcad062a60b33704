"""Text of which single examples may be faulty: bytes and characters that no text has are found in the example itself."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from lmlab.data.document import WIDE, guess_encoding, read_content, refuse_wide
from lmlab.data.found import Fault
from lmlab.types import Mistake

ESCAPED = re.compile("[\udc80-\udcff]")
"""What Python's surrogateescape makes of bytes that are not in the encoding."""

HALVES = re.compile("[\ud800-\udfff]")
"""Halves of a surrogate pair: JSON can write them alone, and no encoding can."""


def decoded(path: Path, encoding: str, *, skip: bool) -> str:
    """The text of a plain or gzip-compressed file; with skip, what is not in the encoding is left for `check_characters`."""
    content = read_content(path)
    if not codecs.lookup(encoding).name.startswith(WIDE):
        refuse_wide(path, content)
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if skip and not codecs.lookup(encoding).name.startswith(WIDE):
            return content.decode(encoding, "surrogateescape").removeprefix("\ufeff")
        line = content[: error.start].decode(encoding, "ignore").count("\n") + 1
        byte = content[error.start : error.start + 1].hex()
        raise Mistake(
            f"{path}, line {line} is not {encoding}: byte 0x{byte}; set data.encoding={guess_encoding(content, encoding)}"
            ", or data.on_error=skip to leave such examples out"
        ) from None


def whole_text(path: Path, encoding: str, *, skip: bool, holds: str) -> str:
    """As `decoded`, of a file that is not blank and whose lines end at line feeds; `holds` says what it should be full of."""
    text = decoded(path, encoding, skip=skip)
    if not text.strip():
        raise Mistake(f"{path} is empty; give a file with {holds}")
    if "\r" in text and "\n" not in text:
        raise Mistake(f"{path} ends its lines with carriage returns alone; write it with line ends of \\n or \\r\\n")
    return text


def check_characters(text: str, encoding: str) -> None:
    """Raises a Fault for what is no text."""
    if "\0" in text:
        raise Fault("holds a NUL byte", "remove it")
    if ESCAPED.search(text):
        raise Fault(f"is not {encoding}", "set data.encoding")
    if HALVES.search(text):
        raise Fault("holds half of a surrogate pair, which is no character", "correct it")
