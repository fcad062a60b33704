"""Docstrings of the standard library by the package that they are from: classification with text that every Python carries."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property

from lmlab.data.portion import split_of
from lmlab.data.stdlib import Document, Stdlib
from lmlab.examples import Labelled
from lmlab.types import Mistake, Split


class Packages:
    """Docstrings of the packages that have most of them.

    Args:
        num_labels: packages.
        split: fractions of the docstrings for validation and test, by a hash of their names.
        cache_dir: where the parsed text is kept.
    """

    example = Labelled

    def __init__(self, *, num_labels: int, split: Mapping[str, int | float], cache_dir: str | None) -> None:
        if num_labels < 2:
            raise Mistake(f"data.num_labels={num_labels} leaves nothing to tell apart; set it to 2 or more")
        self._split, self._num_labels = split, num_labels
        self._stdlib = Stdlib(split=split, cache_dir=cache_dir)

    def fingerprint(self) -> str:
        content = [self._stdlib.fingerprint(), *self._labels]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Labelled]:
        for document in self._stdlib.documents:
            label = package(document)
            if label in self._labels and split_of(document.name, self._split) == split:
                yield Labelled((document.text,), (label,))

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        counts = Counter(
            package(document)
            for document in self._stdlib.documents
            if document.kind != "topic" and split_of(document.name, self._split) == "train"
        )
        return tuple(sorted(label for label, _ in counts.most_common(self._num_labels)))


def package(document: Document) -> str:
    """The outermost package or module of a docstring."""
    return document.module.partition(".")[0]
