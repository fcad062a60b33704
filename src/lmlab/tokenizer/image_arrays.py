"""Images of all splits as memory-mapped pixels, with the ids of their captions, made once per content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, no_type_check

import numpy as np

from lmlab.examples import Pictures
from lmlab.published import published
from lmlab.tokenizer.arrays import Trainer, meta_of
from lmlab.tokenizer.row_arrays import row_arrays
from lmlab.tokenizer.trained import Trained
from lmlab.types import SPLITS, Source, Split

VERSION = 1
"""To be raised with every change of what is written, so that older folders are not taken for it."""

LEAST = 1e-3
"""Standard deviation of a channel below which it is not made larger."""


@no_type_check
@dataclass(frozen=True)
class ImageArrays:
    """The images of each split, and what their captions were encoded with."""

    train: Pictures
    val: Pictures
    test: Pictures
    tokenizer: Trained
    meta: dict[str, Any]
    """Of the captions; see RowArrays."""
    path: Path


def image_arrays(source: Source, trainer: Trainer, cache_dir: Path) -> ImageArrays:
    """Of a source, under a tokenizer, and with the mean and the variance of its training split alone; cached."""
    captions = row_arrays(source, trainer, cache_dir)
    key = hashlib.sha256(json.dumps([VERSION, source.fingerprint()]).encode()).hexdigest()[:32]
    pixels, mean, scale = published(Path(cache_dir) / "images" / key, _open, lambda folder: _build(source, folder))
    splits = {split: Pictures(pixels[split], getattr(captions, split), mean, scale) for split in SPLITS}
    return ImageArrays(**splits, tokenizer=captions.tokenizer, meta=captions.meta, path=captions.path)


def _open(path: Path) -> tuple[dict[Split, Any], Any, Any] | None:
    try:
        if (meta := meta_of(path)) is None:
            return None
        pixels = {split: np.load(path / f"{split}.npy", mmap_mode="r") for split in SPLITS}
        mean, scale = (np.array(meta[name], np.float32) for name in ("mean", "scale"))
        return pixels, mean, scale
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None


def _build(source: Source, folder: Path) -> None:
    shape = next(iter(source.read("train"))).pixels.shape
    for split in SPLITS:
        found = [example.pixels for example in source.read(split)]
        pixels = np.stack(found) if found else np.empty((0, *shape), np.uint8)
        np.save(folder / f"{split}.npy", pixels)
        if split == "train":
            mean, scale = moments(pixels)
    meta = {
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and one over the standard deviation, of each channel of images uint8 [example, height, width, channels]."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    total = flat.sum(axis=0, dtype=np.float64) / len(flat)
    squares = sum(
        (flat[start : start + 2**20].astype(np.float64) ** 2).sum(axis=0) for start in range(0, len(flat), 2**20)
    )
    deviation = np.sqrt(np.maximum(squares / len(flat) - total**2, 0))
    return total, 1 / np.maximum(deviation, LEAST)
