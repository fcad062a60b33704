"""Examples of classification, divided into splits and checked as a whole before the first one is given out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lmlab.data.found import Fault, Found
from lmlab.data.left_out import LeftOut
from lmlab.data.portion import check_fractions, split_of
from lmlab.examples import Labelled
from lmlab.types import Mistake, Split

Reader = Callable[[], Iterator[Found[Labelled]]]
"""Reads all of a file or folder anew."""

Seen = dict[tuple[Split, Path, tuple[str, ...]], list[str]]
"""The places of the examples of a split, a file and some labels."""


class LabelledParts:
    """What is read of each split; a split that nothing is read of is cut from train, by a hash of the texts."""

    def __init__(
        self,
        readers: Mapping[Split, Sequence[Reader]],
        *,
        fractions: Mapping[str, int | float],
        skip: bool,
        several: bool,
    ) -> None:
        """`skip` leaves out what is faulty, `several` labels may hold at once."""
        check_fractions(fractions)
        self._readers, self._skip, self._several = readers, skip, several
        self.fractions = {split: part for split, part in fractions.items() if split not in readers and part}
        if "val" not in readers and "val" not in self.fractions:
            raise Mistake(
                "data.split.val=0 leaves no validation examples; set data.split.val=0.1 or give a file of them"
            )

    def read(self, split: Split) -> Iterator[Labelled]:
        """In the order of the files, those of which something is wrong left out, if that was asked for."""
        labels = self._labels
        origin: Split = split if split in self._readers else "train"
        for reader in self._readers[origin] if origin == split or split in self.fractions else ():
            for found in reader():
                example = found.content
                if (
                    not isinstance(example, Fault)
                    and self._split(origin, example) == split
                    and labels >= {*example.labels}
                ):
                    yield example

    def _split(self, origin: Split, example: Labelled) -> Split:
        """Of an example that stands in the files of a split: texts that differ in white space alone stay together."""
        if origin != "train" or not self.fractions:
            return origin
        return split_of(json.dumps([" ".join(text.split()) for text in example.texts]), self.fractions)

    @cached_property
    def _labels(self) -> frozenset[str]:
        """Of the training split, once everything has been read and nothing is found wrong."""
        left_out = LeftOut(skip=self._skip)
        seen: Seen = {}
        for origin, readers in self._readers.items():
            for found in (found for reader in readers for found in reader()):
                if isinstance(found.content, Fault):
                    left_out.add(found.source, found.place, found.content)
                else:
                    kind = (self._split(origin, found.content), found.source, found.content.labels)
                    seen.setdefault(kind, []).append(found.place)
        labels = frozenset(label for split, _, own in seen if split == "train" for label in own)
        left_out.check_train({split for split, *_ in seen}, self.fractions)
        self._check_variety(labels, left_out.spoken())
        self._check_labels(labels, seen, left_out)
        there = {split for split, _, own in seen if labels >= {*own}}
        left_out.check_rest(there, {*self._readers, *self.fractions}, self.fractions)
        left_out.report()
        return labels

    def _check_labels(self, labels: frozenset[str], seen: Seen, left_out: LeftOut) -> None:
        """What no training example is labelled with cannot be learned."""
        for (split, source, own), places in seen.items():
            change = "correct it, or add one to train" + (", or change data.split" if split in self.fractions else "")
            for strange in [label for label in own if label not in labels][:1]:
                what = f"has the label {strange}, which no training example has"
                for place in places:
                    left_out.add(source, place, Fault(what, change))

    def _check_variety(self, labels: frozenset[str], left_out: str) -> None:
        if not labels or (len(labels) == 1 and not self._several):
            skipped = left_out and f"; left out of {left_out}"
            raise Mistake(
                f"every training example has the label {next(iter(labels), 'none')}, so that there is nothing to learn"
                f"{skipped}; set data.label to another column, or give examples of other labels"
            )
