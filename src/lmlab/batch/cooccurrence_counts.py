"""How often words stand near each other: X_ij is the sum of 1 / distance over all places (Pennington et al. 2014, 4.2).

As in the published program, a word that is unknown is left out without taking a place, and no pair reaches over the end of a
sentence. Pairs of frequent words are counted in a square table. All others are written down one by one with their distance,
eight bytes each; where the memory for them is full, they are sorted, equal ones are added up, and the run goes to disk. The
runs are merged block by block. Sums are of integers, in units of 2^-32: they depend neither on the memory nor on the order.
Every pair of two words is counted once and written both ways round.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, no_type_check

import numba
import numpy as np

PAIR = np.dtype([("row", np.int32), ("column", np.int32), ("count", np.float32)])
"""What the result consists of."""

LARGEST_WINDOW = 63
DISTANCE_BITS = np.uint64(6)
DIGIT = 11
"""Bits that a pass of the sort looks at."""

UNIT = 2**32
BLOCK = 2**18
"""Tokens, and pairs, that are looked at in one go."""

LARGEST_TABLE = 2**25
"""Bytes: a larger one would save sorting, and lose more by falling out of the processor's cache."""

DONTNEED = getattr(mmap, "MADV_DONTNEED", None)
"""Where the system has it."""

Array = np.ndarray[Any, np.dtype[Any]]
Counts = tuple[Array, Array]
"""Keys (one word behind the other), ascending and without doubles, uint64; and their sums, int64."""

jit = numba.njit(cache=True, nogil=True)


def write_counts(
    tokens: Array, path: Path, *, window: int, is_weighted: bool, eos: int, unk: int, memory: int, folder: Path
) -> None:
    """Writes the pairs of a text to `path`, as PAIR.

    Args:
        tokens: ids [time].
        window: words to each side that are near.
        is_weighted: whether a pair counts 1 / distance, or 1.
        memory: bytes for tables and blocks of runs, whatever the length of the text.
        folder: where runs are kept until they are merged.
    """
    vocab = max((int(block.max()) for block in blocks(tokens)), default=0) + 1
    num_frequent = min(vocab, math.isqrt(min(memory // 4, LARGEST_TABLE) // 8))
    bits = np.uint64(max(1, (vocab - 1).bit_length()))
    table = np.zeros((num_frequent, num_frequent), dtype=np.int64)
    distances = np.arange(1, window + 1)
    weights = np.concatenate([[0], UNIT // distances if is_weighted else np.full(window, UNIT)]).astype(np.int64)
    runs = _read(tokens, table, bits, weights, eos, unk, memory * 3 // 8 // 8, folder)
    with path.open("wb") as file:
        for first in range(0, num_frequent, rows := max(1, BLOCK // num_frequent)):
            keys, sums = _of_table(table, first, min(first + rows, num_frequent), bits)
            _write(file, keys, sums, bits)
        del table, keys, sums
        for keys, sums in _merged(runs, block=max(2**12, memory // 16 // 16 // max(1, len(runs)))):
            _write(file, keys, sums, bits)


def _read(
    tokens: Array, table: Array, bits: np.uint64, weights: Array, eos: int, unk: int, size: int, folder: Path
) -> list[tuple[Path, Path]]:
    """Reads the text, adds to the table, and leaves the rest in runs of at most `size` pairs."""
    buffer, other = np.empty(max(size, len(weights)), dtype=np.uint64), np.empty(max(size, len(weights)), np.uint64)
    kept = np.empty(BLOCK + len(weights), dtype=np.int32)
    state = np.zeros(4, dtype=np.int64)
    runs: list[tuple[Path, Path]] = []

    def spill() -> None:
        keys, sums = _summed(buffer, other, int(state[3]), int(2 * bits + DISTANCE_BITS), weights)
        runs.append((folder / f"{len(runs)}.keys", folder / f"{len(runs)}.sums"))
        for path, array in zip(runs[-1], (keys, sums)):
            with path.open("wb") as file:
                file.write(array.data)
        state[3] = 0

    for block in blocks(tokens):
        block, state[0] = block.astype(np.int32), 0
        while True:
            _scan(block, eos, unk, weights, bits, table, buffer, kept, state)
            if state[0] == len(block):
                break
            spill()
    if state[3]:
        spill()
    return runs


def blocks(tokens: Array) -> Iterator[Array]:
    """A text part by part; pages of its file that were read are let go, which would count as memory of this process."""
    for first in range(0, len(tokens), BLOCK):
        yield np.asarray(tokens[first : first + BLOCK])
        is_read = isinstance(tokens, np.memmap) and tokens.mode == "r"
        if DONTNEED is not None and is_read and isinstance(tokens.base, mmap.mmap):
            tokens.base.madvise(DONTNEED)


@jit
@no_type_check
def _scan(
    block: Array,
    eos: int,
    unk: int,
    weights: Array,
    bits: np.uint64,
    table: Array,
    buffer: Array,
    kept: Array,
    state: Array,
) -> None:
    """Goes on until the block ends, or the buffer may be full.

    `state`: the place in the block, the words kept of it, where among them the sentence began, and the pairs in the buffer.
    """
    place, num_kept, start, filled = state
    window, num_frequent, room = len(weights) - 1, len(table), len(buffer) - len(weights) + 1
    while place < len(block) and filled <= room:
        word = block[place]
        place += 1
        if word == eos:
            start = num_kept
        elif word != unk:
            for distance in range(1, min(window, num_kept - start) + 1):
                near = kept[num_kept - distance]
                low, high = min(word, near), max(word, near)
                if high < num_frequent:
                    table[low, high] += weights[distance]
                else:
                    pair = (np.uint64(low) << bits) | np.uint64(high)
                    buffer[filled] = (pair << DISTANCE_BITS) | np.uint64(distance)
                    filled += 1
            kept[num_kept] = word
            num_kept += 1
    if place == len(block):  # the next one begins with the end of this one's last sentence
        tail = min(window, num_kept - start)
        kept[:tail] = kept[num_kept - tail : num_kept].copy()
        num_kept, start = tail, 0
    state[:] = place, num_kept, start, filled


@jit
@no_type_check
def _summed(keys: Array, other: Array, number: int, bits: int, weights: Array) -> tuple[Array, Array]:
    """Sorts by radix, least digit first, and adds up: the two arrays' memory holds keys and sums."""
    source, target = keys, other
    for shift in range(0, bits, DIGIT):
        places = np.zeros(2**DIGIT + 1, dtype=np.int64)
        for index in range(number):
            places[((source[index] >> np.uint64(shift)) & np.uint64(2**DIGIT - 1)) + np.uint64(1)] += 1
        for digit in range(2**DIGIT):
            places[digit + 1] += places[digit]
        for index in range(number):
            digit = (source[index] >> np.uint64(shift)) & np.uint64(2**DIGIT - 1)
            target[places[digit]] = source[index]
            places[digit] += 1
        source, target = target, source
    sums, last = target.view(np.int64), -1
    for index in range(number):
        pair, weight = source[index] >> DISTANCE_BITS, weights[source[index] & np.uint64(LARGEST_WINDOW)]
        if last >= 0 and source[last] == pair:
            sums[last] += weight
        else:
            last += 1
            source[last], sums[last] = pair, weight
    return source[: last + 1], sums[: last + 1]


def _of_table(table: Array, first: int, last: int, bits: np.uint64) -> Counts:
    rows, columns = np.nonzero(table[first:last])
    return ((rows + first).astype(np.uint64) << bits) | columns.astype(np.uint64), table[rows + first, columns]


def _merged(runs: list[tuple[Path, Path]], *, block: int) -> Iterator[Counts]:
    """All runs as one, of each at most `block` pairs in memory, and no file held open: runs may be thousands."""
    read = [0] * len(runs)
    pieces: list[Counts] = [(np.empty(0, np.uint64), np.empty(0, np.int64))] * len(runs)
    while True:
        for index in range(len(runs)):
            if not len(pieces[index][0]):
                pieces[index] = _part(runs[index], read[index], block)
                read[index] += block
        found = [(index, keys[-1]) for index, (keys, _) in enumerate(pieces) if len(keys)]
        if not found:
            return
        limit = min(last for _, last in found)  # beyond it, a run may have more that is not read yet
        ready = []
        for index, _ in found:
            keys, sums = pieces[index]
            end = int(np.searchsorted(keys, limit, side="right"))
            ready.append((keys[:end], sums[:end]))
            pieces[index] = keys[end:], sums[end:]
        yield _joined([piece for piece in ready if len(piece[0])])


def _part(run: tuple[Path, Path], first: int, number: int) -> Counts:
    keys, sums = run
    return np.fromfile(keys, np.uint64, number, offset=8 * first), np.fromfile(sums, np.int64, number, offset=8 * first)


def _joined(pieces: list[Counts]) -> Counts:
    while len(pieces) > 1:
        pairs = zip(pieces[::2], pieces[1::2])
        pieces = [_both(*one, *other) for one, other in pairs] + pieces[len(pieces) // 2 * 2 :]
    return pieces[0]


@jit
@no_type_check
def _both(keys: Array, sums: Array, other_keys: Array, other_sums: Array) -> tuple[Array, Array]:
    found, found_sums = (
        np.empty(len(keys) + len(other_keys), np.uint64),
        np.empty(len(keys) + len(other_keys), np.int64),
    )
    one = other = last = 0
    while one < len(keys) or other < len(other_keys):
        if other == len(other_keys) or (one < len(keys) and keys[one] < other_keys[other]):
            found[last], found_sums[last] = keys[one], sums[one]
            one += 1
        elif one == len(keys) or other_keys[other] < keys[one]:
            found[last], found_sums[last] = other_keys[other], other_sums[other]
            other += 1
        else:
            found[last], found_sums[last] = keys[one], sums[one] + other_sums[other]
            one, other = one + 1, other + 1
        last += 1
    return found[:last], found_sums[:last]


def _write(file: BinaryIO, keys: Array, sums: Array, bits: np.uint64) -> None:
    """Both ways round; a word near itself is near it to both sides."""
    for first in range(0, len(keys), BLOCK):
        block = keys[first : first + BLOCK]
        rows, columns = block >> bits, block & ((np.uint64(1) << bits) - np.uint64(1))
        counts, is_same = sums[first : first + BLOCK] / UNIT, rows == columns
        pairs = np.empty((len(block), 2), dtype=PAIR)
        pairs["row"], pairs["column"] = np.stack([rows, columns], 1), np.stack([columns, rows], 1)
        pairs["count"] = np.where(is_same, 2 * counts, counts)[:, None]
        is_written = np.stack([np.ones(len(block), dtype=bool), ~is_same], 1)
        file.write(pairs[is_written].tobytes())
