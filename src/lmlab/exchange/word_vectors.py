"""Word vectors as word2vec (Mikolov et al. 2013), GloVe (Pennington et al. 2014) and fastText (Bojanowski et al. 2017) keep them.

A line holds a word and its numbers. word2vec and fastText begin with a line that says how many words and how wide, GloVe does
not; word2vec's binary form has float32 in place of the digits. Any of them may be gzipped. What a file is, its content says.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float32

from lmlab.exchange.vector_binary import read_binary
from lmlab.exchange.vector_rows import VectorRows
from lmlab.exchange.vector_text import num_numbers, read_text
from lmlab.types import Mistake

BLOCK = 2**22
"""Bytes read at once: what is held beside the result."""

GZIP = b"\x1f\x8b"

ELSEWHERE = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"BZh": "packed by bzip2; unpack it first",
    b"\xfd7zXZ": "packed by xz; unpack it first",
    b"\x80": "a pickle, which can run any code; in gensim, KeyedVectors.save_word2vec_format writes what is read here",
    b"\xba\x16\x4f\x2f": "a model of fastText; its vectors are in the file .vec beside it",
    b"\x93NUMPY": "an array without words",
}
"""What other files begin with."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

HEADER = re.compile(rb"\s*(\d+)[ \t]+(\d+)\s*")

PRINTED = bytes([*b"\t\r\n", *range(0x20, 0x7F)])
"""The bytes that numbers in digits, and what stands between them, are written in."""


@dataclass(frozen=True)
class WordVectors:
    """Words, each once, and the vector of each."""

    words: list[str]
    vectors: Float32[np.ndarray, "words dim"]


def read(path: Path, *, wanted: Set[str] | None = None) -> WordVectors:
    """The words of a file and their vectors; of a word that is there twice the first, as gensim has it.

    Args:
        wanted: only these words; the numbers of others are not even looked at. None: all.

    Raises:
        Mistake: for a file that is not there, cut off, damaged or none of vectors, with the line.
    """
    with _blocks(path) as blocks:
        head = next(blocks)
        layout = _layout(path, head)
        rows = VectorRows(path, layout.dim, wanted)
        if layout.is_binary:
            read_binary(chain([head[layout.start :]], blocks), layout.promised or 0, rows)
        else:
            read_text(chain([head[layout.start :]], blocks), layout.promised, rows)
    return WordVectors(*rows.done())


def width(path: Path) -> int:
    """How wide a file's vectors are, of which nothing but its beginning is read."""
    with _blocks(path) as blocks:
        return _layout(path, next(blocks)).dim


@contextmanager
def _blocks(path: Path) -> Iterator[Iterator[bytes]]:
    """The content in pieces, unpacked; at least one, which is empty where the file is."""
    try:
        with path.open("rb") as packed:
            is_packed = packed.read(len(GZIP)) == GZIP
            packed.seek(0)
            file: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=packed) if is_packed else packed
            first = file.read(BLOCK).removeprefix(BYTE_ORDER_MARK)
            yield chain([first], iter(lambda: file.read(BLOCK), b""))
    except FileNotFoundError as error:
        raise Mistake(f"there is no file {path}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Mistake(f"{path} is cut off or damaged ({error}); fetch it again") from error
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror or error})") from error


@dataclass(frozen=True)
class _Layout:
    dim: int
    promised: int | None
    """Words, by the first line; None where it is a word's."""
    start: int
    """Where the first word stands."""
    is_binary: bool = False


def _layout(path: Path, head: bytes) -> _Layout:
    if not head.strip():
        raise Mistake(f"{path} is empty; name a file of word vectors")
    for beginning, what in ELSEWHERE.items():
        if head.startswith(beginning):
            raise Mistake(f"{path} is {what}")
    first, _, rest = head.partition(b"\n")
    if header := HEADER.fullmatch(first):
        promised, dim = map(int, header.groups())
        if promised and dim:
            return _Layout(dim, promised, len(first) + 1, _is_binary(rest, dim))
        raise Mistake(f"{path} holds no vector: its first line promises {promised} words of width {dim}")
    found = num_numbers(first.split())
    if not found:
        raise Mistake(
            f"{path} holds no word vectors: its first line is no word with its numbers, and no count and width"
        )
    return _Layout(found, None, 0)


def _is_binary(rest: bytes, dim: int) -> bool:
    """Whether behind a header the first word has bytes of float32: what would be digits is no text."""
    if num_numbers(rest.partition(b"\n")[0].split()) >= dim:
        return False
    numbers: Any = rest.partition(b" ")[2][: 4 * dim]
    return bool(numbers.translate(None, PRINTED))
