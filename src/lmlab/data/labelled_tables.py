"""Table files as splits of a data set of classification."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path

from lmlab.data.cache import cache_folder
from lmlab.data.equal_files import check_equal_files
from lmlab.data.fingerprint import file_hash
from lmlab.data.found import Found
from lmlab.data.labelled_parts import LabelledParts
from lmlab.data.labelled_rows import labelled_rows
from lmlab.data.layout import Layout
from lmlab.examples import Labelled
from lmlab.types import Split


class LabelledTables:
    """Files of each split with their layouts, read in the order of their content's hash, wherever they lie."""

    def __init__(
        self,
        files: Mapping[Split, Sequence[tuple[Path, Layout]]],
        *,
        fractions: Mapping[str, int | float],
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        for _, layout in (one for own in files.values() for one in own):
            layout.check(on_error)
        self._files, self._on_error = files, on_error
        self._cache = cache_folder(cache_dir)
        self._parts = LabelledParts(
            {split: [partial(self._rows, split)] for split in files},
            fractions=fractions,
            skip=on_error == "skip",
            several=any(layout.label_separator is not None for own in files.values() for _, layout in own),
        )

    def fingerprint(self) -> str:
        hashes = {split: [(key, asdict(layout)) for key, _, layout in own] for split, own in self._hashed.items()}
        content = [hashes, self._parts.fractions, self._on_error]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Labelled]:
        return self._parts.read(split)

    @cached_property
    def _hashed(self) -> dict[Split, list[tuple[str, Path, Layout]]]:
        hashed = {
            split: sorted(
                ((file_hash(path, self._cache), path, layout) for path, layout in own), key=lambda one: one[:2]
            )
            for split, own in self._files.items()
        }
        check_equal_files({split: [one[:2] for one in own] for split, own in hashed.items()})
        return hashed

    def _rows(self, split: Split) -> Iterator[Found[Labelled]]:
        for _, path, layout in self._hashed[split]:
            yield from labelled_rows(path, layout, skip=self._on_error == "skip")
