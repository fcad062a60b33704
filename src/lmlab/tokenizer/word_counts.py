"""The words of the training split with their counts, by id: what vectors of words are made for; kept as vocabulary.tsv."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Int

from lmlab.tokenizer.arrays import TokenArrays
from lmlab.types import Mistake, Vocabulary

COUNTS = "counts.npy"
"""In the arrays' folder."""

BLOCK = 2**22
"""Ids that are counted at a time."""


def vocabulary_of(arrays: TokenArrays) -> Vocabulary:
    """Every token of a tokenizer as it is spelt, and how often it stands in the training split."""
    tokenizer = arrays.tokenizer
    counts = _counts(arrays)
    counts[[index for index in (tokenizer.eos, tokenizer.unk) if index is not None]] = 0
    return Vocabulary(words=tuple(map(tokenizer.token, range(tokenizer.vocab_size))), counts=counts)


def write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """A line for each id: the word, a tab, its count; a newline in a word is written \\n, a backslash \\\\."""
    words = (word.replace("\\", "\\\\").replace("\n", "\\n") for word in vocabulary.words)
    lines = [f"{word}\t{count}\n" for word, count in zip(words, vocabulary.counts.tolist())]
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text("".join(lines), encoding="utf-8", newline="\n")
    beside.replace(path)


def read_vocabulary(path: Path) -> Vocabulary:
    """What `write_vocabulary` wrote."""
    try:
        lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
        words, counts = zip(*(line.rsplit("\t", 1) for line in lines))
        return Vocabulary(words=tuple(map(_unescaped, words)), counts=np.array(counts, dtype=np.int64))
    except ValueError as error:
        raise Mistake(f"{path} is damaged: each of its lines is a word, a tab and a count ({error})") from None


def _unescaped(word: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], word) if "\\" in word else word


def _counts(arrays: TokenArrays) -> Int[np.ndarray, "vocab"]:
    """Counted once for each folder, which may be one that others own."""
    path = arrays.path / COUNTS
    with suppress(OSError, ValueError, EOFError):
        found: np.ndarray = np.load(path, allow_pickle=False)
        if found.shape == (arrays.tokenizer.vocab_size,) and found.sum() == len(arrays.train):
            return found
    counts = np.zeros(arrays.tokenizer.vocab_size, np.int64)
    for start in range(0, len(arrays.train), BLOCK):
        counts += np.bincount(arrays.train[start : start + BLOCK], minlength=len(counts))
    with suppress(OSError):
        _keep(path, counts)
    return counts


def _keep(path: Path, counts: Int[np.ndarray, "vocab"]) -> None:
    """Written beside, then renamed: several jobs may do so at once."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    beside = Path(name)
    try:
        with open(number, "wb") as file:
            np.save(file, counts)
        beside.chmod(0o644)  # mkstemp's 0o600 would shut out others who share the cache
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
