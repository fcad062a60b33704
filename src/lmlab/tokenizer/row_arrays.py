"""Examples of all splits as memory-mapped ids and labels, made once per content and tokenizer."""

from __future__ import annotations

import json
import shutil
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, no_type_check

import numpy as np

from lmlab.examples import Rows
from lmlab.published import published
from lmlab.tokenizer.arrays import Trainer, TrainingTexts, identity_of, key_of, meta_of
from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.words import num_words
from lmlab.types import SPLITS, Mistake, Source, Split

VERSION = 1
"""To be raised with every change of what is written, so that older folders are not taken for it."""

TOGETHER = 4096
"""Examples that are encoded at a time."""


@no_type_check
@dataclass(frozen=True)
class RowArrays:
    """The rows of each split, and what they were made with."""

    train: Rows
    val: Rows
    test: Rows
    tokenizer: Trained
    labels: tuple[str, ...]
    """Of the training split, and the roles that the source knows, sorted."""
    meta: dict[str, Any]
    """`splits`: per split tokens, bytes, words, characters, documents; `fingerprint` ..."""
    path: Path


def row_arrays(source: Source, trainer: Trainer, cache_dir: Path) -> RowArrays:
    """The rows of a source under a tokenizer and labels of its training split alone; cached.

    Raises:
        Mistake: for a label that the training split does not have.
    """
    identity = identity_of(source, trainer, VERSION)
    path = Path(cache_dir) / "rows" / key_of(identity)
    return published(path, _open, lambda folder: _build(source, trainer, identity, folder))


def _open(path: Path) -> RowArrays | None:
    try:
        if (meta := meta_of(path)) is None:
            return None
        rows = {split: _rows(path, split) for split in SPLITS}
        tokenizer = load(path / "tokenizer.json")
        return RowArrays(**rows, tokenizer=tokenizer, labels=tuple(meta["labels"]), meta=meta, path=path)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None


def _rows(path: Path, split: Split) -> Rows:
    return Rows(**{one.name: np.load(path / f"{split}_{one.name}.npy", mmap_mode="r") for one in fields(Rows)})


def _build(source: Source, trainer: Trainer, identity: dict[str, Any], folder: Path) -> None:
    tokenizer = trainer.train(TrainingTexts(source))
    tokenizer.save(str(folder / "tokenizer.json"))
    found = {label for example in source.read("train") for label in example.labels}
    labels = sorted(found.union(getattr(source, "roles", ())))
    numbers = {label: number for number, label in enumerate(labels)}
    splits = {split: _write(source, split, tokenizer, numbers, folder) for split in SPLITS}
    meta = {
        **identity,
        "labels": labels,
        "vocab_size": tokenizer.vocab_size,
        "splits": splits,
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _write(
    source: Source, split: Split, tokenizer: Trained, numbers: Mapping[str, int], folder: Path
) -> dict[str, int]:
    count = dict.fromkeys(("tokens", "bytes", "words", "characters", "documents"), 0)
    text_lengths, row_lengths, label_lengths, labels = (array("q") for _ in range(4))
    found, written = source.read(split), folder / f"{split}_ids.part"
    file = written.open("wb")
    while examples := list(islice(found, TOGETHER)):
        texts = [text for example in examples for text in example.texts]
        encoded = tokenizer.encode_batch(texts)
        np.array([index for one in encoded for index in one], dtype=tokenizer.dtype).tofile(file)
        text_lengths.extend(map(len, encoded))
        for example in examples:
            row_lengths.append(len(example.texts))
            label_lengths.append(len(example.labels))
            labels.extend(_number(label, numbers, split) for label in example.labels)
        count["bytes"] += sum(len(text.encode()) for text in texts)
        count["words"] += sum(map(num_words, texts))
        count["characters"] += sum(map(len, texts))
        count["documents"] += len(examples)
    count["tokens"] = sum(text_lengths)
    file.close()
    _save(folder / f"{split}_ids.npy", written, tokenizer.dtype)
    arrays: dict[str, np.ndarray] = {
        "text_ends": np.cumsum(text_lengths, dtype=np.int64),
        "row_ends": np.cumsum(row_lengths, dtype=np.int64),
        "labels": np.array(labels, dtype=np.int32),
        "label_ends": np.cumsum(label_lengths, dtype=np.int64),
    }
    for name, values in arrays.items():
        np.save(folder / f"{split}_{name}.npy", values)
    return count


def _save(path: Path, written: Path, dtype: np.dtype[Any]) -> None:
    """Numbers that were written one after another, as an array; they are not held."""
    count = written.stat().st_size // dtype.itemsize
    with path.open("wb") as target, written.open("rb") as source:
        about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
        np.lib.format.write_array_header_1_0(target, about)
        shutil.copyfileobj(source, target, 2**20)
    written.unlink()


def _number(label: str, numbers: Mapping[str, int], split: Split) -> int:
    if label not in numbers:
        known = ", ".join(list(numbers)[:8]) + (", ..." if len(numbers) > 8 else "")
        raise Mistake(f"the {split} split has the label {label!r}, which the training split does not have ({known})")
    return numbers[label]
