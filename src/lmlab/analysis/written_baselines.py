"""What a model that writes is held against: texts for which nothing was learned, or only what stands nearest was looked up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lmlab.analysis.terms import weighting
from lmlab.examples import SourceTarget

TOGETHER = 256
"""Sources that are looked up at a time."""


def written_baselines(train: Sequence[SourceTarget], held_out: Sequence[SourceTarget]) -> dict[str, list[str]]:
    """Method -> its text for each held-out source.

    The source itself; its first sentence (the lead, of a summary); the target of the training source that is most alike,
    by the cosine of TF-IDF (see lmlab.analysis.terms).
    """
    sources = [one.source for one in held_out]
    found = {"source": sources, "first sentence": [lead(text) for text in sources]}
    looked_up = nearest(train, sources)
    return found if looked_up is None else {**found, "nearest training source": looked_up}


def lead(text: str) -> str:
    """The first sentence of a text."""
    parts = re.split(r"(?<=[.!?])\s|(?<=[。！？])|\n\s*\n", text.strip(), maxsplit=1)
    return parts[0] or text


def nearest(train: Sequence[SourceTarget], sources: Sequence[str]) -> list[str] | None:
    """The first target of the training source that is most like each source; None where nothing can be looked up."""
    known = [one.source for one in train]
    if (terms := weighting(known)) is None:
        return None
    matrix = terms.fit_transform(known)
    found: list[str] = []
    for first in range(0, len(sources), TOGETHER):
        alike = terms.transform(sources[first : first + TOGETHER]) @ matrix.T
        found += [train[int(row)].targets[0] for row in alike.toarray().argmax(axis=1)]
    return found
