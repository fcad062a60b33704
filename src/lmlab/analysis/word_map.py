"""A map of the most frequent words: their vectors in two dimensions, by PCA and by t-SNE (van der Maaten and Hinton 2008)."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from lmlab.types import EOS, UNK, Failed

FILE = "word_map.json"

NUM_WORDS = 300

MIN_WORDS = 5
"""Fewer have no neighbourhoods that could be shown."""

SEED = 1


def write_word_map(
    folder: Path,
    *,
    words: Sequence[str],
    counts: Integer[np.ndarray, "vocab"],
    vectors: Float[np.ndarray, "vocab dim"],
    num_words: int = NUM_WORDS,
) -> Path | None:
    """Write the map into the run's folder, at once; None where there is nothing to show."""
    drawn = word_map(words=words, counts=counts, vectors=vectors, num_words=num_words)
    if drawn is None:
        return None
    temporary = folder / f".{FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(drawn, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, folder / FILE)
    return folder / FILE


def word_map(
    *,
    words: Sequence[str],
    counts: Integer[np.ndarray, "vocab"],
    vectors: Float[np.ndarray, "vocab dim"],
    num_words: int,
) -> dict[str, Any] | None:
    """Words, counts, and for each method their places [word, 2]; equal input, equal map.

    `words` are by falling frequency. Vectors are brought to length 1 first, since it is their angles that are trained.
    """
    ids = [number for number, word in enumerate(words) if word not in (EOS, UNK)][:num_words]
    chosen = vectors[ids].astype(np.float64)
    if not np.isfinite(chosen).all():
        raise Failed("word vectors hold NaN or infinite numbers, and there is no map of them; set optimizer.lr lower")
    unit = chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-30)
    if len(ids) < MIN_WORDS or unit.shape[1] < 2 or unit.std(axis=0).max() < 1e-6:
        return None
    pca = PCA(n_components=2, svd_solver="full")
    plane = pca.fit_transform(unit)
    return {
        "words": [words[number] for number in ids],
        "counts": [int(counts[number]) for number in ids],
        "explained": [round(float(share), 4) for share in pca.explained_variance_ratio_],
        "pca": _rounded(plane),
        "tsne": _rounded(_tsne(unit, plane)),
    }


def _tsne(unit: Float[np.ndarray, "word dim"], plane: Float[np.ndarray, "word two"]) -> Float[np.ndarray, "word two"]:
    """Exact gradients, from the plane of PCA: nothing is drawn at random, and a few hundred words take about a second."""
    start = plane / max(plane[:, 0].std(), 1e-12) * 1e-4
    tsne = TSNE(perplexity=min(30.0, (len(unit) - 1) / 3), init=start, method="exact", random_state=SEED)
    places: np.ndarray = tsne.fit_transform(unit)
    return places


def _rounded(places: Float[np.ndarray, "word two"]) -> list[list[float]]:
    return [[float(f"{x:.5g}"), float(f"{y:.5g}")] for x, y in places]
