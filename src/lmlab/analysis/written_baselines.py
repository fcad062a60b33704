"""What a model that writes is held against: texts for which nothing was learned, or only what stands nearest was looked up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lmlab.examples import SourceTarget

LARGEST = 2**24
"""Characters of training sources above which looking up would take longer than it is worth."""

TOGETHER = 256
"""Sources that are looked up at a time."""


def written_baselines(train: Sequence[SourceTarget], held_out: Sequence[SourceTarget]) -> dict[str, list[str]]:
    """Method -> its text for each held-out source.

    The source itself; its first sentence (the lead, of a summary); the target of the training source that is most alike,
    by the cosine of sublinear TF-IDF over words and pairs of words, or of text without blanks over characters.
    """
    sources = [one.source for one in held_out]
    found = {"source": sources, "first sentence": [lead(text) for text in sources]}
    if can_look_up(train):
        found["nearest training source"] = nearest(train, sources)
    return found


def lead(text: str) -> str:
    """The first sentence of a text."""
    parts = re.split(r"(?<=[.!?])\s|(?<=[。！？])|\n\s*\n", text.strip(), maxsplit=1)
    return parts[0] or text


def can_look_up(train: Sequence[SourceTarget]) -> bool:
    """Whether there is something to look up, and not too much."""
    return 0 < sum(len(one.source) for one in train) <= LARGEST


def nearest(train: Sequence[SourceTarget], sources: Sequence[str]) -> list[str]:
    """The first target of the training source that is most like each source."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = [one.source for one in train]
    blanks = sum(text.count(" ") for text in known[:100]) / max(sum(map(len, known[:100])), 1)
    analyzer = "word" if blanks > 0.05 else "char"
    vectorizer: Any = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), analyzer=analyzer)
    if not any(map(vectorizer.build_analyzer(), known)):
        return [train[0].targets[0]] * len(sources)
    matrix = vectorizer.fit_transform(known)
    found: list[str] = []
    for first in range(0, len(sources), TOGETHER):
        alike = vectorizer.transform(sources[first : first + TOGETHER]) @ matrix.T
        found += [train[int(row)].targets[0] for row in alike.toarray().argmax(axis=1)]
    return found
