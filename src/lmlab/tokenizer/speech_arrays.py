"""Recordings of all splits as memory-mapped features with the ids of their transcripts, made once per content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, no_type_check, runtime_checkable

import numpy as np
from jaxtyping import Float

from lmlab.examples import Utterances
from lmlab.published import published
from lmlab.tokenizer.arrays import Trainer, TrainingTexts, identity_of, key_of, meta_of
from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.words import num_words
from lmlab.types import SPLITS, Source, Split

VERSION = 1
"""To be raised with every change of what is written, so that older folders are not taken for it."""

LEAST = 1e-3
"""Standard deviation of a feature below which it is not made larger."""


@runtime_checkable
class Features(Protocol):
    """What `conf/features/*.yaml` builds; its attributes are the values that decide the result."""

    sample_rate: int

    @property
    def num_features(self) -> int:
        """Of a frame."""

    def __call__(self, samples: Float[np.ndarray, "time"]) -> Float[np.ndarray, "frames features"]:
        """Of a recording, one frame at least."""


@no_type_check
@dataclass(frozen=True)
class SpeechArrays:
    """The recordings of each split, and what they were made with."""

    train: Utterances
    val: Utterances
    test: Utterances
    tokenizer: Trained
    meta: dict[str, Any]
    """`splits`: per split tokens, bytes, words, characters, documents, frames; `fingerprint` ..."""
    path: Path


def speech_arrays(source: Source, trainer: Trainer, features: Features, cache_dir: Path) -> SpeechArrays:
    """Of a source, under a tokenizer and with the mean and the variance of its training split alone; cached."""
    kind = f"{type(features).__module__}.{type(features).__qualname__}"
    identity = {
        **identity_of(source, trainer, VERSION),
        "features": {"kind": kind, "values": vars(features)},
    }
    path = Path(cache_dir) / "speech" / key_of(identity)
    return published(path, _open, lambda folder: _build(source, trainer, features, identity, folder))


def _open(path: Path) -> SpeechArrays | None:
    try:
        if (meta := meta_of(path)) is None:
            return None
        mean, scale = (np.load(path / f"{name}.npy") for name in ("mean", "scale"))
        splits = {split: _utterances(path, split, mean, scale) for split in SPLITS}
        return SpeechArrays(**splits, tokenizer=load(path / "tokenizer.json"), meta=meta, path=path)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None


def _utterances(path: Path, split: Split, mean: np.ndarray, scale: np.ndarray) -> Utterances:
    arrays = {name: np.load(path / f"{split}_{name}.npy", mmap_mode="r") for name in ("frame_ends", "ids", "id_ends")}
    file = path / f"{split}_frames.f16"
    frames = np.empty(0, np.float16) if not file.stat().st_size else np.memmap(file, np.float16, mode="r")
    return Utterances(frames=frames.reshape(-1, len(mean)), **arrays, mean=mean, scale=scale)


def _build(source: Source, trainer: Trainer, features: Features, identity: dict[str, Any], folder: Path) -> None:
    tokenizer = trainer.train(TrainingTexts(source))
    tokenizer.save(str(folder / "tokenizer.json"))
    moments = Moments(features.num_features)
    splits = {split: _write(source, split, tokenizer, features, moments, folder) for split in SPLITS}
    np.save(folder / "mean.npy", moments.mean.astype(np.float32))
    np.save(folder / "scale.npy", (1 / np.maximum(moments.deviation, LEAST)).astype(np.float32))
    meta = {
        **identity,
        "vocab_size": tokenizer.vocab_size,
        "splits": splits,
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


class Moments:
    """Mean and standard deviation of each feature over frames that are added up."""

    def __init__(self, number: int) -> None:
        self.frames, self.sum, self.squares = 0, np.zeros(number), np.zeros(number)

    def add(self, frames: Float[np.ndarray, "frames features"]) -> None:
        """Those of a recording."""
        whole = frames.astype(np.float64)
        self.frames, self.sum = self.frames + len(whole), self.sum + whole.sum(axis=0)
        self.squares = self.squares + (whole**2).sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        return self.sum / max(self.frames, 1)

    @property
    def deviation(self) -> np.ndarray:
        found: np.ndarray = np.sqrt(np.maximum(self.squares / max(self.frames, 1) - self.mean**2, 0))
        return found


def _write(
    source: Source, split: Split, tokenizer: Trained, features: Features, moments: Moments, folder: Path
) -> dict[str, int]:
    """One recording after another, so that none but one is held in memory."""
    texts: list[str] = []
    lengths: list[int] = []
    with (folder / f"{split}_frames.f16").open("wb") as file:
        for example in source.read(split):
            assert example.sample_rate == features.sample_rate, "features.sample_rate follows data.sample_rate"
            found = features(example.read())
            if split == "train":
                moments.add(found)
            file.write(found.astype(np.float16).tobytes())
            texts.append(example.text)
            lengths.append(len(found))
    ids = tokenizer.encode_batch(texts)
    arrays = {
        "frame_ends": np.cumsum(lengths, dtype=np.int64),
        "ids": np.array([index for one in ids for index in one], dtype=tokenizer.dtype),
        "id_ends": np.cumsum(list(map(len, ids)), dtype=np.int64),
    }
    for name, array in arrays.items():
        np.save(folder / f"{split}_{name}.npy", array)
    return {
        "tokens": sum(map(len, ids)),
        "bytes": sum(len(text.encode()) for text in texts),
        "words": sum(map(num_words, texts)),
        "characters": sum(map(len, texts)),
        "documents": len(texts),
        "frames": sum(lengths),
    }
