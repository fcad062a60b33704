"""A published data set of texts and targets in the tables in which people download it, below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from lmlab.data.example_files import ExampleFiles
from lmlab.data.form import Form
from lmlab.data.pair_rows import PairRows
from lmlab.data.published import Names, Published
from lmlab.examples import SourceTarget
from lmlab.types import Mistake, Split

DIFFERING = ("source", "target")
"""What may differ in a file."""


class PairFiles:
    """Files per split; a split without is cut from train."""

    example = SourceTarget

    def __init__(
        self,
        *,
        published: Published,
        root: str | None,
        files: Mapping[str, Names | None],
        stand_ins: Mapping[str, Names | None],
        source: str | int | Sequence[str | int],
        target: str | int | Sequence[str | int],
        join: str,
        layout: Form,
        exceptions: Sequence[Mapping[str, Any]],
        split_by: str | int | None,
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        """`exceptions` are files whose columns differ: each has the `file`'s name and what differs."""
        differing = {one.get("file"): {key: value for key, value in one.items() if key != "file"} for one in exceptions}
        for unknown in sorted({key for one in differing.values() for key in one} - {*DIFFERING}):
            raise Mistake(f"data.exceptions has {unknown}, which is none of {', '.join(DIFFERING)}; take it away")
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
        found = published.find(root, files, stand_ins)
        self._files: ExampleFiles[SourceTarget] = ExampleFiles(
            {
                cast(Split, part): [replace(rows, path=path, **differing.get(path.name, {})) for path in paths]
                for part, paths in found.items()
            },
            split=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def read(self, split: Split) -> Iterator[SourceTarget]:
        return self._files.read(split)
