"""A published data set of tagged sentences in the files in which people download it, below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from lmlab.data.column_lines import ColumnLayout
from lmlab.data.published import Names, find_published
from lmlab.data.tagged_parts import TaggedParts
from lmlab.examples import Tagged
from lmlab.types import Mistake, Split


class ColumnFiles:
    """A file per split; its name may be a pattern that one file of a folder fits."""

    example = Tagged

    def __init__(
        self,
        *,
        name: str,
        origin: str,
        root: str | None,
        folders: Sequence[str],
        files: Mapping[str, Names | None],
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
        layout = ColumnLayout(
            format=format, word=word, tag=tag, separator=separator, comment=comment, encoding=encoding
        )
        found = find_published(name, origin, root, folders, files, is_there=lambda path: bool(_fitting(path)))
        self._parts = TaggedParts(
            {cast(Split, part): [_one(path) for path in paths] for part, paths in found.items()},
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


def _fitting(path: Path) -> list[Path]:
    return sorted(file for file in path.parent.glob(path.name) if file.is_file())


def _one(path: Path) -> Path:
    """The file that fits a name."""
    fitting = _fitting(path)
    if len(fitting) > 1:
        listed = ", ".join(file.name for file in fitting[:4])
        raise Mistake(
            f"{len(fitting)} files of {path.parent} are called {path.name} ({listed}); set data.root to a folder of one"
        )
    return fitting[0]
