"""Anyone's labelled texts in a table: CSV, TSV, or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lmlab.data.find import find_splits
from lmlab.data.form import SUFFIXES
from lmlab.data.labelled_tables import LabelledTables
from lmlab.data.layout import Layout
from lmlab.examples import Labelled
from lmlab.types import Mistake, Split


class Table:
    """Every row is an example; rows without a split of their own are divided by a hash of their texts."""

    example = Labelled

    def __init__(
        self,
        *,
        path: str | None,
        val_path: str | None,
        test_path: str | None,
        split: Mapping[str, int | float],
        text: str | int | Sequence[str | int],
        join: str | None,
        label: str | int | None,
        label_separator: str | None,
        format: str,
        separator: str | None,
        quoting: bool | None,
        header: bool,
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if path in (None, "", "???"):
            raise Mistake("this data needs data.path: a file, a folder or a pattern, such as data.path=reviews.csv")
        layout = Layout(
            text=text,
            join=join,
            label=label,
            label_separator=label_separator,
            format=format,
            separator=separator,
            quoting=quoting,
            header=header,
            encoding=encoding,
        )
        layout.check(on_error)
        files = find_splits(str(path), val_path, test_path, SUFFIXES)
        self._tables = LabelledTables(
            {part: [(file, layout) for file in own] for part, own in files.items()},
            fractions=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._tables.fingerprint()

    def read(self, split: Split) -> Iterator[Labelled]:
        return self._tables.read(split)
