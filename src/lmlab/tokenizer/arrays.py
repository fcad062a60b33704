"""Token ids of all splits as memory-mapped arrays, made once per content and tokenizer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, no_type_check, runtime_checkable

import numpy as np

from lmlab.published import published
from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.words import num_words
from lmlab.types import SPLITS, Source, Split

VERSION = 1
"""To be raised with every change of what is written, so that older folders are not taken for it."""

BLOCK_CHARACTERS = 2**24
"""About how much text is held in memory at a time."""


@runtime_checkable
class Trainer(Protocol):
    """What `conf/tokenizer/*.yaml` builds; its attributes are the values that decide the result."""

    def train(self, texts: Iterable[str]) -> Trained:
        """Of texts that may be gone through again and again."""


@no_type_check
@dataclass(frozen=True)
class TokenArrays:
    """Ids of each split, every document ended by `<eos>`."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    tokenizer: Trained
    meta: dict[str, Any]
    """`splits`: per split tokens, bytes, words, characters, documents; `dtype`, `vocab_size`, `fingerprint` ..."""
    path: Path


def token_arrays(source: Source, trainer: Trainer, cache_dir: Path) -> TokenArrays:
    """The arrays of a source under a tokenizer trained on its training split alone; cached."""
    identity = identity_of(source, trainer, VERSION)
    path = Path(cache_dir) / "tokens" / key_of(identity)
    return published(path, _open, lambda folder: _build(source, trainer, identity, folder))


def identity_of(source: Source, trainer: Trainer, version: int) -> dict[str, Any]:
    """All that decides what is written."""
    return {
        "version": version,
        "fingerprint": source.fingerprint(),
        "tokenizer": f"{type(trainer).__module__}.{type(trainer).__qualname__}",
        "values": vars(trainer),
    }


def key_of(identity: dict[str, Any]) -> str:
    """The name of its folder."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def meta_of(path: Path) -> dict[str, Any] | None:
    """What stands beside the arrays of a folder; None where a file is not of its size.

    Raises:
        OSError, ValueError, KeyError: where something is missing.
    """
    meta: dict[str, Any] = json.loads((path / "meta.json").read_bytes())
    is_whole = all((path / name).stat().st_size == size for name, size in meta["files"].items())
    return meta if is_whole else None


def _open(path: Path) -> TokenArrays | None:
    """The arrays in a folder, or None where it is missing, incomplete or of wrong sizes."""
    try:
        if (meta := meta_of(path)) is None:
            return None
        arrays = {split: _map(path / f"{split}.bin", np.dtype(meta["dtype"])) for split in SPLITS}
        return TokenArrays(**arrays, tokenizer=load(path / "tokenizer.json"), meta=meta, path=path)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None


def _map(path: Path, dtype: np.dtype[Any]) -> np.ndarray:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.empty(0, dtype=dtype)


@dataclass(frozen=True)
class TrainingTexts:
    """Every text of every training example, read anew each time, rather than held."""

    source: Source

    def __iter__(self) -> Iterator[str]:
        return (text for example in self.source.read("train") for text in example.texts)


def _build(source: Source, trainer: Trainer, identity: dict[str, Any], folder: Path) -> None:
    tokenizer = trainer.train(TrainingTexts(source))
    tokenizer.save(str(folder / "tokenizer.json"))
    splits = {split: _write(source, split, tokenizer, folder / f"{split}.bin") for split in SPLITS}
    meta = {
        **identity,
        "dtype": tokenizer.dtype.name,
        "vocab_size": tokenizer.vocab_size,
        "splits": splits,
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _write(source: Source, split: Split, tokenizer: Trained, path: Path) -> dict[str, int]:
    """Encode one split block by block; what is counted is the text's own, whatever the tokenizer."""
    count = dict.fromkeys(("tokens", "bytes", "words", "characters", "documents"), 0)
    with path.open("wb") as file:
        for texts in _blocks(source, split):
            ids = tokenizer.to_array(texts)
            file.write(ids.tobytes())
            count["tokens"] += len(ids)
            count["bytes"] += sum(len(text.encode()) for text in texts)
            count["words"] += sum(num_words(text) for text in texts)
            count["characters"] += sum(len(text) for text in texts)
            count["documents"] += len(texts)
        file.flush()
        os.fsync(file.fileno())
    return count


def _blocks(source: Source, split: Split) -> Iterator[list[str]]:
    block: list[str] = []
    held = 0
    for example in source.read(split):
        block.append(example.text)
        held += len(example.text)
        if held >= BLOCK_CHARACTERS:
            yield block
            block, held = [], 0
    if block:
        yield block
