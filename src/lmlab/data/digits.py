"""Handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak 1998, as scikit-learn has them) with captions that lmlab words.

A caption says the digit, how thick its line is and how it leans: the latter two are measured on the pixels, so that images of
one digit have different captions. Every wording of what is true of an image is one of its captions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from lmlab.data.portion import check_fractions, split_of
from lmlab.examples import Captioned
from lmlab.types import SPLITS, Mistake, Split

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

LARGEST = 16
"""Grey levels go from 0, which is paper, to this."""

THIN, BOLD = 0.29, 0.32
"""Mean ink, of 1, below and above which a digit is thin or bold: about a third of the images each."""

LEFT, RIGHT = -0.08, 0.03
"""Slant below and above which it leans: columns to the right for each row up, of the ink's regression line."""

WORDINGS = (
    "a {weight} {word} {leaning}",
    "a handwritten {word} which is {weight} and {leaning}",
    "the digit {figure} in a {weight} hand {leaning}",
    "the number {word} {leaning} and {weight}",
    "{figure} written {weight} and {leaning}",
    "this {weight} {figure} is {leaning}",
)
PLAIN = (
    "a {word}",
    "a handwritten {word}",
    "the digit {figure}",
    "the number {word}",
    "the figure {figure} written by hand",
    "somebody wrote a {word}",
)

Array = np.ndarray[Any, np.dtype[Any]]


class Digits:
    """1,797 images in one channel, 255 where the pen was; they are divided by a hash of their pixels.

    Args:
        details: whether captions say how thick the line is and how it leans, beside the digit.
        split: shares of the images that are held out.
    """

    example = Captioned

    def __init__(self, *, details: bool, split: Mapping[str, int | float]) -> None:
        check_fractions(split)
        if not split.get("val"):
            raise Mistake(f"data.split={dict(split)} leaves no image for validation; set data.split.val, e.g. to 0.1")
        self._details, self._split = details, dict(split)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps(self._split, sort_keys=True).encode())
        for split in SPLITS:
            for one in self.read(split):
                digest.update(json.dumps([split, one.name, one.texts]).encode() + one.pixels.tobytes())
        return digest.hexdigest()

    def read(self, split: Split) -> Iterator[Captioned]:
        """The images of the split in the order of the data set."""
        yield from self._examples[split]

    @cached_property
    def _examples(self) -> dict[Split, list[Captioned]]:
        from sklearn.datasets import load_digits

        data: Any = load_digits()
        found: dict[Split, list[Captioned]] = {split: [] for split in SPLITS}
        for number, (image, digit) in enumerate(zip(data.images, data.target)):
            pixels = np.round(image * (255 / LARGEST)).astype(np.uint8)[..., None]
            name = f"digits, image {number}"
            split = split_of(hashlib.sha256(pixels.tobytes()).hexdigest(), self._split)
            found[split].append(Captioned(name, captions(image, int(digit), details=self._details), pixels))
        return found


def captions(image: Array, digit: int, *, details: bool) -> tuple[str, ...]:
    """All wordings of what is true of an image [height, width] with levels up to LARGEST."""
    said = {"word": WORDS[digit], "figure": str(digit), "weight": weight(image), "leaning": leaning(image)}
    return tuple(wording.format(**said) for wording in (WORDINGS if details else PLAIN))


def weight(image: Array) -> str:
    """By the ink on the whole image: thin, medium or bold."""
    ink = float(image.mean()) / LARGEST
    return "thin" if ink < THIN else "bold" if ink > BOLD else "medium"


def leaning(image: Array) -> str:
    """By the slant of the ink: leaning left, upright or leaning right."""
    found = slant(image)
    return "leaning left" if found < LEFT else "leaning right" if found > RIGHT else "upright"


def slant(image: Array) -> float:
    """Columns to the right for each row up, least squares over the ink: -cov(column, row) / var(row)."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    ink = image / image.sum()
    away, aside = rows - (ink * rows).sum(), columns - (ink * columns).sum()
    return -float((ink * away * aside).sum() / max(float((ink * away**2).sum()), 1e-9))
