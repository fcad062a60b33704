"""Word vectors written as word2vec, fastText and gensim read them; a file is there whole or not at all."""

from __future__ import annotations

import gzip
import logging
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Integer

from lmlab.types import Mistake

log = logging.getLogger(__name__)

File = Any  # binary, perhaps one that packs

BLANK = re.compile(r"[ \t-\r]")
"""What ends a word in a file of lines."""

PACKING = 4
"""Of gzip, from 1 to 9: digits hardly shrink further, and 9 takes thrice as long."""

NAMES = {
    "word2vec": "vectors.txt",
    "word2vec_binary": "vectors.bin",
    "fasttext_vec": "vectors.vec",
    "keyedvectors": "vectors.kv",
}
"""What a file of each format is called where nobody says."""


def write(
    path: Path,
    words: Sequence[str],
    vectors: Float32[np.ndarray, "words dim"],
    *,
    format: str,
    counts: Integer[np.ndarray, "words"] | None = None,
) -> None:
    """Writes one of the formats in NAMES, in the order given, which in word2vec's files is that of falling frequency.

    Args:
        path: gzipped where it ends in .gz.
        counts: how often each word was seen, for which gensim's own format has a place.

    Raises:
        Mistake: where the file cannot be written, or a vector holds no numbers.
    """
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise Mistake(
            f"the vector of {words[int(np.argmin(finite))]!r} holds NaN or infinity; set checkpoint to another"
        )
    if format != "keyedvectors":
        words, vectors = _without_blanks(words, vectors, format)
    writers: dict[str, Callable[[File], None]] = {
        "word2vec": lambda file: _text(file, words, vectors),
        "fasttext_vec": lambda file: _text(file, words, vectors),
        "word2vec_binary": lambda file: _binary(file, words, vectors),
        "keyedvectors": lambda file: _keyed_vectors(file, words, vectors, counts),
    }
    _at_once(path, writers[format])


def _without_blanks(
    words: Sequence[str], vectors: Float32[np.ndarray, "words dim"], format: str
) -> tuple[Sequence[str], Float32[np.ndarray, "kept dim"]]:
    """Words that a reader would take for one: those that are empty or hold a blank have no place in lines."""
    kept = [index for index, word in enumerate(words) if word and not BLANK.search(word)]
    if len(kept) == len(words):
        return words, vectors
    log.warning("format=%s has no place for words with blanks: %s left out", format, f"{len(words) - len(kept):,}")
    return [words[index] for index in kept], vectors[kept]


def _text(file: File, words: Sequence[str], vectors: Float32[np.ndarray, "words dim"]) -> None:
    """Nine digits tell every float32 from its neighbours, so that a reader has the same bits (fastText itself writes five)."""
    file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
    line = " %.9g" * vectors.shape[1] + "\n"
    for word, vector in zip(words, vectors, strict=True):
        file.write((word + line % tuple(vector.tolist())).encode())


def _binary(file: File, words: Sequence[str], vectors: Float32[np.ndarray, "words dim"]) -> None:
    file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
    for word, vector in zip(words, vectors.astype("<f4", copy=False), strict=True):
        file.write(word.encode() + b" " + vector.tobytes() + b"\n")


def _keyed_vectors(
    file: File,
    words: Sequence[str],
    vectors: Float32[np.ndarray, "words dim"],
    counts: Integer[np.ndarray, "words"] | None,
) -> None:
    """In one file, arrays and all, by gensim's own pickling."""
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise Mistake("format=keyedvectors is written by gensim, which is missing; pip install gensim") from error
    logging.getLogger("gensim").setLevel(logging.WARNING)  # it tells of each step of its own
    made = KeyedVectors(vectors.shape[1])
    made.add_vectors(list(words), vectors)
    for word, count in zip(words, [] if counts is None else counts.tolist()):
        made.set_vecattr(word, "count", count)
    made.save(file)


def _at_once(path: Path, write: Callable[[File], None]) -> None:
    """Beside its name first; the name is given when the disk has it all."""
    beside = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", PACKING, file, 0) as packed:
                    write(packed)
            else:
                write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise Mistake(
            f"path={path} cannot be written ({error.strerror or error}); set path to another place"
        ) from error
    finally:
        with suppress(OSError):  # where the folder itself cannot be written, which has been said
            beside.unlink(missing_ok=True)
