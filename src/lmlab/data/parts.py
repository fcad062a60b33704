"""Examples divided into splits, and checked as a whole before the first one is given out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Generic

from lmlab.data.found import Fault, Found, Kind
from lmlab.data.left_out import LeftOut
from lmlab.data.portion import check_fractions, split_of
from lmlab.types import Mistake, Split

log = logging.getLogger(__name__)

Reader = Callable[[], Iterator[Found[Kind]]]
"""Reads all examples of a split's files anew."""


class Parts(Generic[Kind]):
    """What is read of each split; a split that nothing is read of is cut from train, by a hash of the examples' groups."""

    def __init__(
        self, readers: Mapping[Split, Reader[Kind]], *, fractions: Mapping[str, int | float], skip: bool
    ) -> None:
        """`skip` leaves out what is faulty."""
        check_fractions(fractions)
        self._readers, self._skip = readers, skip
        self.fractions = {split: part for split, part in fractions.items() if split not in readers and part}
        if "val" not in readers and "val" not in self.fractions:
            raise Mistake(
                "data.split.val=0 leaves no validation examples; set data.split.val=0.1 or give a file of them"
            )

    def read(self, split: Split) -> Iterator[Kind]:
        """In the order of the files, those of which something is wrong left out, if that was asked for."""
        if split not in self._there:
            return
        origin: Split = split if split in self._readers else "train"
        for found in self._readers[origin]():
            if not isinstance(found.content, Fault) and self._split(origin, found) == split:
                yield found.content

    def _split(self, origin: Split, found: Found[Kind]) -> Split:
        """Of an example that stands in the files of a split: groups that differ in white space alone stay together."""
        if origin != "train" or not self.fractions:
            return origin
        return split_of(" ".join(found.group.split()), self.fractions)

    @cached_property
    def _there(self) -> frozenset[Split]:
        """The splits that have examples, once everything has been read and nothing is found wrong."""
        left_out = LeftOut(skip=self._skip)
        there: set[Split] = set()
        notes: Counter[tuple[Path, str]] = Counter()
        for origin, reader in self._readers.items():
            for found in reader():
                if isinstance(found.content, Fault):
                    left_out.add(found.source, found.place, found.content)
                else:
                    there.add(self._split(origin, found))
                    notes.update((found.source, note) for note in found.notes)
        left_out.check_train(there, self.fractions)
        left_out.check_rest(there, {*self._readers, *self.fractions}, self.fractions)
        left_out.report()
        for (source, note), number in notes.items():
            log.warning("%s: %d %s", source, number, note)
        return frozenset(there)
