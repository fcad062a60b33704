"""Anyone's texts with what is to be written for them, in a table: CSV, TSV, or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lmlab.data.example_files import ExampleFiles
from lmlab.data.find import find_splits
from lmlab.data.form import SUFFIXES, Form
from lmlab.data.pair_rows import PairRows
from lmlab.examples import SourceTarget
from lmlab.types import Mistake, Split


class PairTable:
    """Every row of a file, a folder or a pattern is an example."""

    example = SourceTarget

    def __init__(
        self,
        *,
        path: str | None,
        val_path: str | None,
        test_path: str | None,
        source: str | int | Sequence[str | int],
        target: str | int | Sequence[str | int],
        join: str,
        layout: Form,
        split_by: str | int | None,
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if path in (None, "", "???"):
            raise Mistake("this data needs data.path: a table of sources and targets, such as data.path=pairs.tsv")
        rows = PairRows(
            path=Path(),
            layout=layout,
            encoding=encoding,
            source=source,
            target=target,
            join=join,
            split_by=split_by,
        )
        rows.check()
        files = find_splits(str(path), val_path, test_path, SUFFIXES)
        self._files: ExampleFiles[SourceTarget] = ExampleFiles(
            {part: [replace(rows, path=file) for file in own] for part, own in files.items()},
            split=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def read(self, split: Split) -> Iterator[SourceTarget]:
        return self._files.read(split)
