"""A published data set of classification in the tables in which people download it, below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from dataclasses import replace as changed
from typing import Any, cast

from lmlab.data.labelled_tables import LabelledTables
from lmlab.data.layout import Layout
from lmlab.data.published import Names, find_published
from lmlab.examples import Labelled
from lmlab.types import Mistake, Split


class LabelledFiles:
    """Files per split; a split without is cut from train."""

    example = Labelled

    def __init__(
        self,
        *,
        name: str,
        origin: str,
        root: str | None,
        folders: Sequence[str],
        files: Mapping[str, Names | None],
        stand_ins: Mapping[str, Names | None],
        split: Mapping[str, int | float],
        text: str | int | Sequence[str | int],
        join: str | None,
        label: str | int | None,
        label_separator: str | None,
        label_until: str | None,
        label_names: Mapping[str, str] | None,
        replace: Sequence[Sequence[str]] | None,
        format: str,
        separator: str | None,
        quoting: bool | None,
        header: bool,
        columns: int | None,
        exceptions: Sequence[Mapping[str, Any]],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        """`exceptions` are files whose layout differs: each has the `file`'s name and what differs."""
        layout = Layout(
            text=text,
            join=join,
            label=label,
            label_separator=label_separator,
            label_until=label_until,
            label_names=label_names,
            replace=replace,
            format=format,
            separator=separator,
            quoting=quoting,
            header=header,
            columns=columns,
            encoding=encoding,
        )
        layout.check(on_error)
        differing = {one.get("file"): {key: value for key, value in one.items() if key != "file"} for one in exceptions}
        for unknown in sorted(
            {key for one in differing.values() for key in one} - {key.name for key in fields(Layout)}
        ):
            raise Mistake(f"data.exceptions has {unknown}, which is nothing in which a file can differ; take it away")
        found = find_published(name, origin, root, folders, files, stand_ins)
        self._tables = LabelledTables(
            {
                cast(Split, part): [(path, changed(layout, **differing.get(path.name, {}))) for path in paths]
                for part, paths in found.items()
            },
            fractions=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._tables.fingerprint()

    def read(self, split: Split) -> Iterator[Labelled]:
        return self._tables.read(split)
