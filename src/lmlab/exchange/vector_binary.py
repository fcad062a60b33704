"""word2vec's binary form: a word, a blank, its numbers as float32; behind them a newline (the original) or none (gensim)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from lmlab.exchange.vector_rows import VectorRows
from lmlab.types import Mistake

log = logging.getLogger(__name__)

LONGEST = 2**16
"""Bytes of a word; one that goes on is none."""


def read_binary(blocks: Iterator[bytes], promised: int, rows: VectorRows) -> None:
    """Reads as many words as the first line, which is not among the blocks, has promised."""
    done, buffer = 0, b""
    while done < promised:
        block = next(blocks, b"")
        if not block:
            raise Mistake(
                f"{rows.path} is cut off: its first line promises {promised:,} words of width {rows.dim} and {done:,} are "
                "whole; fetch it again"
            )
        buffer += block
        taken, used = _read(buffer, done, promised, rows)
        done, buffer = done + taken, buffer[used:]
        if len(buffer) > LONGEST + 4 * rows.dim:
            raise Mistake(f"word {done + 1:,} of {rows.path} has no end: it is damaged or no file of vectors")
    if buffer.strip() or next(blocks, b"").strip():
        log.warning("%s has more than the %s words of its first line; the rest is not read", rows.path, f"{promised:,}")


def _read(buffer: bytes, done: int, promised: int, rows: VectorRows) -> tuple[int, int]:
    """Keeps the words that are whole in the buffer -> how many these are, and the bytes that they take."""
    words, starts, places = [], [], []
    size, position, place = 4 * rows.dim, 0, done
    while place < promised:
        start = buffer.find(b" ", position) + 1
        if not start or start + size > len(buffer):
            break
        place += 1
        word = buffer[position : start - 1].lstrip(b"\n")
        if rows.is_wanted(word):
            words.append(word)
            starts.append(start)
            places.append(place)
        position = start + size
    whole = memoryview(buffer)
    found = np.frombuffer(b"".join([whole[start : start + size] for start in starts]), "<f4")
    rows.add(words, found.astype(np.float32, copy=False).reshape(len(words), rows.dim), places, "word")
    return place - done, position
