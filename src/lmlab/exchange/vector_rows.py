"""What is kept of a file of word vectors while it is read: each word once, by its first vector."""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from lmlab.types import Mistake

log = logging.getLogger(__name__)


class VectorRows:
    """Takes words and vectors in any number of pieces; the array grows in place, so that there is never a second one.

    Args:
        path: for what is said.
        wanted: the words to keep; None: all.
    """

    def __init__(self, path: Path, dim: int, wanted: Set[str] | None) -> None:
        self.path, self.dim = path, dim
        self.wanted = None if wanted is None else {word.encode("utf-8", "ignore") for word in wanted}
        self.beginnings = None if self.wanted is None else {word.partition(b" ")[0] for word in self.wanted}
        """Of the wanted words up to their first blank: what a line is known by before it is taken apart."""
        self.words: list[str] = []
        self.vectors: Float32[np.ndarray, "words dim"] = np.empty((0, dim), np.float32)
        self._known: set[str] = set()
        self._repeated: list[str] = []
        self._unreadable: list[str] = []

    def is_wanted(self, word: bytes) -> bool:
        return self.wanted is None or word in self.wanted

    def add(
        self, words: Sequence[bytes], vectors: Float32[np.ndarray, "piece dim"], places: Sequence[int], unit: str
    ) -> None:
        """Places: where each word stands, counted from 1 in units (`line`, `word`)."""
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            wrong = int(np.argmin(finite))
            value = vectors[wrong][~np.isfinite(vectors[wrong])][0]
            word = words[wrong].decode("utf-8", "replace")
            raise Mistake(f"{unit} {places[wrong]:,} of {self.path}: the vector of {word!r} holds {value}, no number")
        is_new = np.fromiter(
            (self._takes(word, place, unit) for word, place in zip(words, places, strict=True)), bool, len(words)
        )
        self._append(vectors, is_new)

    def _takes(self, word: bytes, place: int, unit: str) -> bool:
        try:
            text = word.decode()
        except UnicodeDecodeError:
            self._unreadable.append(f"{unit} {place:,}")
            return False
        if text in self._known:
            self._repeated.append(text)
            return False
        self._known.add(text)
        self.words.append(text)
        return True

    def _append(self, vectors: Float32[np.ndarray, "piece dim"], kept: Bool[np.ndarray, "piece"]) -> None:
        before = len(self.vectors)
        self.vectors.resize((before + int(kept.sum()), self.dim), refcheck=False)
        self.vectors[before:] = vectors if kept.all() else vectors[kept]

    def done(self) -> tuple[list[str], Float32[np.ndarray, "words dim"]]:
        """What was kept; what was not is said, once."""
        unreadable, repeated = len(self._unreadable), len(self._repeated)
        if unreadable and not self.words:
            raise Mistake(
                f"none of the {unreadable:,} words of {self.path} is UTF-8; convert it: iconv -f gb18030 -t utf-8"
            )
        if unreadable:
            log.warning(
                "%s: %s of %s words are not UTF-8 and are left out, the first in %s",
                self.path, f"{unreadable:,}", f"{unreadable + repeated + len(self.words):,}", self._unreadable[0],
            )  # fmt: skip
        if repeated:
            log.warning(
                "%s: %s words are there again, such as %r; the first vector of each counts",
                self.path, f"{repeated:,}", self._repeated[0],
            )  # fmt: skip
        return self.words, self.vectors
