"""One file -> its text, exactly as written: newlines stay as they are, a byte order mark goes, doubt is an error."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from lmlab.types import Mistake

GZIP, NEWLINE = b"\x1f\x8b", b"\n"
REPLACED = "\ufffd"
HAN = re.compile("[\u4e00-\u9fff]")
WIDE = ("utf-16", "utf-32")
"""Encodings in which a NUL byte is a part of a character."""


def check_encoding(encoding: str, on_error: str, ways: Sequence[str] = ("strict", "replace")) -> None:
    """Refuse what Python has no text encoding for, and an `on_error` that is none of the ways."""
    try:
        "a".encode(encoding)
    except LookupError:
        raise Mistake(
            f"data.encoding={encoding} is not a text encoding; set data.encoding to utf-8, utf-16, latin-1, gb18030 ..."
        ) from None
    if on_error not in ways:
        raise Mistake(f"data.on_error={on_error} is not known; set data.on_error to {' or '.join(ways)}")


def read_document(path: Path, *, encoding: str, on_error: str, warn: Callable[[str], None]) -> str:
    """The text of a plain or gzip-compressed file; `warn` is told what was replaced in it."""
    content = read_content(path)
    if not codecs.lookup(encoding).name.startswith(WIDE):
        if on_error == "strict":
            _refuse_binary(path, content)
        elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            refuse_wide(path, content)
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, "ignore").count("\n") + 1
        if on_error == "replace":
            text = content.decode(encoding, "replace").removeprefix("\ufeff")
            number = text.count(REPLACED) - content.decode(encoding, "ignore").count(REPLACED)
            warn(
                f"{path}, line {line} is not {encoding}: U+FFFD stands for what is not in {number:,} places of the file"
            )
            return text
        byte = content[error.start : error.start + 1].hex()
        raise Mistake(
            f"{path}, line {line} is not {encoding}: byte 0x{byte} at offset {error.start}; "
            f"set data.encoding={guess_encoding(content, encoding)}, or data.on_error=replace to read over it"
        ) from None


def read_content(path: Path) -> bytes:
    """The bytes of a plain or gzip-compressed file."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Mistake(f"{path} is a damaged gzip file; fetch it again or change data.path") from None


def refuse_wide(path: Path, content: bytes) -> None:
    """A Mistake for what looks like UTF-16 where the encoding is another."""
    head = content[:4096]
    nulls = max(head[0::2].count(0), head[1::2].count(0))
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or nulls > 0.15 * len(head):
        raise Mistake(f"{path} looks like UTF-16; set data.encoding=utf-16")


def _refuse_binary(path: Path, content: bytes) -> None:
    refuse_wide(path, content)
    null = content.find(b"\0")
    if null >= 0:
        raise Mistake(
            f"{path}, line {content.count(NEWLINE, 0, null) + 1} is not text: NUL byte at offset {null}; "
            "set data.path to a text file, or data.on_error=replace to read it nevertheless"
        )


def guess_encoding(content: bytes, encoding: str) -> str:
    """The encoding that the text may be in: Chinese of the mainland where it reads as that, else Western."""
    sample = content[: 2**16].decode("gb18030", "ignore")
    foreign = sum(character > "\x7f" for character in sample)
    is_chinese = len(HAN.findall(sample)) > 0.7 * foreign and b"\xa1\xa3" in content  # its full stop
    candidates = ["gb18030" if is_chinese else "latin-1", "utf-8"]
    return next(name for name in candidates if name != encoding)
