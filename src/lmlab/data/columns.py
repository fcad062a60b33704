"""Anyone's tagged sentences: files with a token a line, its word and its tag in columns, an empty line between sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lmlab.data.column_lines import SUFFIXES, ColumnLayout
from lmlab.data.find import find_splits
from lmlab.data.tagged_parts import TaggedParts
from lmlab.examples import Tagged
from lmlab.types import Mistake, Split


class Columns:
    """Sentences without a split of their own are divided by a hash of their words."""

    example = Tagged

    def __init__(
        self,
        *,
        path: str | None,
        val_path: str | None,
        test_path: str | None,
        split: Mapping[str, int | float],
        format: str,
        word: int | None,
        tag: int | None,
        separator: str | None,
        comment: str | None,
        scheme: str,
        to_scheme: str | None,
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if path in (None, "", "???"):
            raise Mistake("this data needs data.path: a file, a folder or a pattern, such as data.path=train.conll")
        layout = ColumnLayout(
            format=format, word=word, tag=tag, separator=separator, comment=comment, encoding=encoding
        )
        self._parts = TaggedParts(
            find_splits(str(path), val_path, test_path, SUFFIXES),
            layout,
            fractions=split,
            scheme=scheme,
            to_scheme=to_scheme,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._parts.fingerprint()

    def read(self, split: Split) -> Iterator[Tagged]:
        return self._parts.read(split)
