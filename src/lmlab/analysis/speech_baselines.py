"""What a recogniser is held against: the most frequent transcript; logistic regression on the whole recording as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from lmlab.examples import Utterances

FEWEST = 5
"""Recordings of each transcript, on average, below which nobody could classify them."""

BANDS, TIMES = 24, 16
"""Of the picture that a recording is brought to."""

LARGEST = 20_000
"""Recordings above which the regression would take longer than it is worth."""

Array = np.ndarray[Any, np.dtype[Any]]


def speech_baselines(
    train: Utterances, held_out: Utterances, train_texts: Sequence[str], held_out_texts: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Accuracy of the whole transcript. There is no regression where transcripts seldom come again (C=1, standardised)."""
    most = Counter(train_texts).most_common(1)[0][0]
    found = {"most frequent transcript": {"accuracy": held_out_texts.count(most) / len(held_out_texts)}}
    kinds = len({*train_texts})
    if kinds < 2 or len(train_texts) < FEWEST * kinds or len(train_texts) > LARGEST:
        return found
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    regression.fit(_pictures(train), list(train_texts))
    score = float(regression.score(_pictures(held_out), list(held_out_texts)))
    return {**found, "log energies, logistic regression": {"accuracy": score}}


def _pictures(rows: Utterances) -> Array:
    return np.stack([_picture(rows.features_of(row)) for row in range(len(rows))])


def _picture(features: Array) -> Array:
    """[time, feature] -> means over equal parts of both, [TIMES * BANDS]."""
    return _pooled(_pooled(features, TIMES).T, BANDS).ravel()


def _pooled(values: Array, number: int) -> Array:
    """Means over so many parts of the first axis, of which one may stand for a part twice."""
    edges = np.linspace(0, len(values), number + 1)
    parts = [values[int(low) : max(int(low) + 1, int(np.ceil(high)))] for low, high in pairwise(edges)]
    return np.stack([part.mean(axis=0) for part in parts])
