"""Token ids of all splits as memory-mapped arrays, made once per content and tokenizer.

Several jobs may ask for the same arrays at once: each builds in a folder of its own and renames it; the first one wins.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, no_type_check, runtime_checkable

import numpy as np

from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.words import num_words
from lmlab.types import SPLITS, Mistake, Source, Split

VERSION = 1
"""To be raised with every change of what is written, so that older folders are not taken for it."""

ATTEMPTS = 4
"""Another process may set aside what was damaged just when this one has made it again."""

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
    identity = {
        "version": VERSION,
        "fingerprint": source.fingerprint(),
        "tokenizer": f"{type(trainer).__module__}.{type(trainer).__qualname__}",
        "values": vars(trainer),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]
    path = Path(cache_dir) / "tokens" / key
    for _ in range(ATTEMPTS):
        found = _open(path)
        if found is not None:
            return found
        try:
            _publish(source, trainer, identity, path)
        except OSError as error:
            _explain(error, path)
            raise
    raise OSError(f"{path} is damaged as often as it is made")


def _explain(error: OSError, path: Path) -> None:
    """A folder that cannot be written is the user's to change."""
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your quota is used up",
        errno.EACCES: "you may not write there",
        errno.EROFS: "it is read-only",
        errno.ENOTDIR: "a part of the path is a file",
    }
    if error.errno in reasons:
        raise Mistake(
            f"cannot keep the tokens in {path.parent}: {reasons[error.errno]}; "
            "set LMLAB_CACHE to a folder with room, or clear it with: lmlab rm cache"
        ) from None


def _open(path: Path) -> TokenArrays | None:
    """The arrays in a folder, or None where it is missing, incomplete or of wrong sizes."""
    try:
        meta = json.loads((path / "meta.json").read_bytes())
        if any((path / name).stat().st_size != size for name, size in meta["files"].items()):
            return None
        arrays = {split: _map(path / f"{split}.bin", np.dtype(meta["dtype"])) for split in SPLITS}
        return TokenArrays(**arrays, tokenizer=load(path / "tokenizer.json"), meta=meta, path=path)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None


def _map(path: Path, dtype: np.dtype[Any]) -> np.ndarray:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.empty(0, dtype=dtype)


def _publish(source: Source, trainer: Trainer, identity: dict[str, Any], path: Path) -> None:
    """Build in a folder beside, then rename it, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=path.parent))
    try:
        _build(source, trainer, identity, building)
        building.chmod(0o755)  # mkdtemp's 0o700 would shut out others who share the cache
        try:
            building.rename(path)  # refused where a folder with something in it stands: whole, or half of one
        except OSError:
            if _open(path) is None:
                _set_aside(path)
                building.rename(path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _set_aside(path: Path) -> None:
    """Half a folder makes room, at once, so that no other process sees a part of it go."""
    aside = Path(tempfile.mkdtemp(prefix=".building-", dir=path.parent))
    with suppress(FileNotFoundError):  # another process was faster
        path.rename(aside / path.name)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what builds that were killed a day ago or earlier have left."""
    for left in folder.glob(".building-*"):
        if left.stat().st_mtime < time.time() - 86400:
            shutil.rmtree(left, ignore_errors=True)


@dataclass(frozen=True)
class TrainingTexts:
    """Read anew each time, rather than held."""

    source: Source

    def __iter__(self) -> Iterator[str]:
        return (example.text for example in self.source.read("train"))


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
