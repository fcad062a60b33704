"""Word vectors in digits, a word a line: word2vec's text, GloVe's, fastText's .vec.

The last numbers of a line are its vector and what stands before them its word, which in GloVe's files may hold blanks. Lines
are taken apart one by one, but all numbers of a block are read by one call.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import count as counted

import numpy as np
from jaxtyping import Float32

from lmlab.exchange.vector_rows import VectorRows
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def read_text(blocks: Iterable[bytes], promised: int | None, rows: VectorRows) -> None:
    """Reads all lines, or as many as a first line, which is not among the blocks, has promised."""
    first = 1 if promised is None else 2
    found = 0
    for lines in _lines(blocks):
        numbered = [(place, line) for place, line in zip(counted(first), lines) if line and not line.isspace()]
        first += len(lines)
        if promised is not None and found + len(numbered) > promised:
            log.warning(
                "%s has more lines than the %s of its first one; the rest is not read", rows.path, f"{promised:,}"
            )
            numbered = numbered[: promised - found]
            _read(numbered, rows)
            return
        found += len(numbered)
        _read(numbered, rows)
    if promised is not None and found < promised:
        raise Mistake(
            f"{rows.path} is cut off: its first line promises {promised:,} words and there are {found:,}; fetch it again"
        )


def _lines(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The whole lines of each block, with what the block before began."""
    begun: list[bytes] = []
    for block in blocks:
        whole, newline, rest = block.rpartition(b"\n")
        if newline:
            yield b"".join([*begun, whole]).split(b"\n")
            begun = [rest]
        else:
            begun.append(rest)
    yield [b"".join(begun)]


def _read(numbered: Sequence[tuple[int, bytes]], rows: VectorRows) -> None:
    words, digits, places = [], [], []
    beginnings, blanks = rows.beginnings, rows.dim - 1
    for place, line in numbered:
        word, _, numbers = line.partition(b" ")
        if beginnings is not None and word not in beginnings and b"\t" not in word:
            continue
        numbers = numbers.rstrip()
        if numbers.count(b" ") != blanks or b"  " in numbers or not numbers or not word:
            word, numbers = _apart(line, place, rows)
        if rows.is_wanted(word):
            words.append(word)
            digits.append(numbers)
            places.append(place)
    found = _numbers(b" ".join(digits))
    if len(found) != len(words) * rows.dim:
        raise _fault(digits, places, rows)
    rows.add(words, found.reshape(len(words), rows.dim), places, "line")


def _apart(line: bytes, place: int, rows: VectorRows) -> tuple[bytes, bytes]:
    """A line with blanks in its word, or with more than one between its numbers."""
    fields = line.split()
    word = fields[: -rows.dim]
    if not word or (len(word) > 1 and _is_number(word[-1])):
        found = num_numbers(fields)
        raise Mistake(
            f"line {place:,} of {rows.path} has {found} number{'' if found == 1 else 's'} "
            f"where {rows.dim} were expected: vectors of unequal width, or a damaged file"
        )
    return b" ".join(word), b" ".join(fields[-rows.dim :])


def _numbers(digits: bytes) -> Float32[np.ndarray, "number"]:
    """All numbers up to the first that is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what is no number, which the caller sees
        try:
            return np.fromstring(digits, dtype=np.float32, sep=" ")
        except ValueError:
            return np.empty(0, np.float32)


def _fault(digits: Sequence[bytes], places: Sequence[int], rows: VectorRows) -> Mistake:
    """Of which line it is that the numbers are not as many as they should be."""
    place, numbers = next(
        (place, numbers) for place, numbers in zip(places, digits) if len(_numbers(numbers)) != rows.dim
    )
    wrong = next((field for field in numbers.split() if not _is_number(field)), numbers[:40])
    return Mistake(f"line {place:,} of {rows.path}: {wrong.decode('utf-8', 'replace')!r} is no number")


def num_numbers(fields: Sequence[bytes]) -> int:
    """How many of the last fields are numbers; the first is a word in any case."""
    found = 0
    for field in reversed(fields[1:]):
        if not _is_number(field):
            break
        found += 1
    return found


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
