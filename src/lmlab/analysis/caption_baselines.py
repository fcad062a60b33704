"""What models of images and captions are held against: chance, the training image that is nearest, the most frequent caption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lmlab.examples import Captioned
from lmlab.ranking import chance, figures

NEAREST, FREQUENT = "nearest training image", "most frequent caption"

LARGEST = 20_000
"""Training images above which looking at all of them takes longer than it is worth."""

Array = np.ndarray[Any, np.dtype[Any]]


def retrieval_baselines(train: Sequence[Captioned], held_out: Sequence[Captioned]) -> dict[str, dict[str, float]]:
    """Figures of finding: a caption is as near to an image as the nearest training image, by pixels, that has it."""
    pool = {text: None for one in held_out for text in one.texts}
    place = {text: number for number, text in enumerate(pool)}
    belongs = np.zeros((len(held_out), len(pool)), bool)
    for row, one in enumerate(held_out):
        belongs[row, [place[text] for text in one.texts]] = True
    found = {"chance": chance(belongs)}
    if len(train) <= LARGEST:
        away = distances(train, held_out)
        scores = np.full(belongs.shape, -np.inf)
        for column, text in enumerate(pool):
            having = [number for number, one in enumerate(train) if text in one.texts]
            if having:
                scores[:, column] = -away[:, having].min(axis=1)
        found[NEAREST] = figures(scores, belongs)
    return found


def writing_baselines(train: Sequence[Captioned], held_out: Sequence[Captioned]) -> dict[str, list[str]]:
    """What would be written for each held-out image."""
    most = Counter(text for one in train for text in one.texts).most_common(1)[0][0]
    found = {FREQUENT: [most] * len(held_out)}
    if len(train) <= LARGEST:
        nearest = distances(train, held_out).argmin(axis=1)
        found[NEAREST] = [train[row].texts[0] for row in nearest.tolist()]
    return found


def distances(train: Sequence[Captioned], held_out: Sequence[Captioned]) -> Array:
    """Squared, over all pixels, [held out, train]."""
    known, asked = (np.stack([one.pixels.ravel() for one in part]).astype(np.float64) for part in (train, held_out))
    found: Array = (asked**2).sum(axis=1)[:, None] - 2 * asked @ known.T + (known**2).sum(axis=1)
    return found
