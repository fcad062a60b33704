"""Character n-grams of words, hashed to numbers as in the code published with Bojanowski et al. (2017, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Int


def hashed_ngrams(
    words: Sequence[str], *, min_n: int, max_n: int, num_buckets: int
) -> tuple[Int[np.ndarray, "ends"], Int[np.ndarray, "ngram"]]:
    """The numbers below `num_buckets` of all n-grams of `<word>`; those of word i are `first[i] : first[i + 1]`.

    Characters are those of UTF-8, whatever number of bytes they take, and an n-gram that comes twice counts twice. The marks
    `<` and `>` alone are no n-grams.
    """
    marked = [f"<{word}>".encode("utf-8", "surrogatepass") for word in words]
    starts = np.concatenate(([0], np.cumsum([len(one) for one in marked], dtype=np.int64)))
    text = np.frombuffer(b"".join(marked), dtype=np.uint8)
    first = np.zeros(len(words) + 1, dtype=np.int64)
    bound = len(text) * (max_n - min_n + 1)  # each character begins one of each length at most
    ngrams = np.empty(bound, dtype=np.int64)
    _hash(text, starts, min_n, max_n, num_buckets, first, ngrams)
    return first, ngrams[: first[-1]].copy()


@numba.njit(cache=True, nogil=True)
@no_type_check
def _hash(
    text: np.ndarray,
    starts: np.ndarray,
    min_n: int,
    max_n: int,
    num_buckets: int,
    first: np.ndarray,
    ngrams: np.ndarray,
) -> None:
    """FNV-1a over the bytes, each taken as signed, as by mistake in the first version and ever since."""
    found = 0
    for word in range(len(starts) - 1):
        begin, end = starts[word], starts[word + 1]
        for start in range(begin, end):
            if text[start] & 0xC0 == 0x80:  # inside of a character
                continue
            value, n = np.uint32(2166136261), 0
            for place in range(start, end):
                signed = np.uint32(text[place]) | np.uint32(0xFFFFFF00 if text[place] > 127 else 0)
                value = np.uint32((value ^ signed) * np.uint32(16777619))
                if place + 1 < end and text[place + 1] & 0xC0 == 0x80:
                    continue
                n += 1
                is_mark = n == 1 and (start == begin or place + 1 == end)
                if n >= min_n and not is_mark:
                    ngrams[found] = value % np.uint32(num_buckets)
                    found += 1
                if n == max_n:
                    break
        first[word + 1] = found
