"""A published corpus in the files in which people download it, found below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lmlab.data.published import find_published
from lmlab.data.text import TextFiles
from lmlab.types import Split, Text


class SplitFiles:
    """One file per split, each one document; or one file that is cut by `split`."""

    example = Text

    def __init__(
        self,
        *,
        name: str,
        origin: str,
        root: str | None,
        folders: Sequence[str],
        files: Mapping[str, Sequence[str] | None],
        split: Mapping[str, int | float],
        encoding: str,
        cache_dir: str | None,
    ) -> None:
        """`files` gives the names that each split's file goes by, `folders` where below the root it may lie."""
        found = {part: str(paths[0]) for part, paths in find_published(name, origin, root, folders, files).items()}
        self._text = TextFiles(
            path=found["train"],
            val_path=found.get("val"),
            test_path=found.get("test"),
            split=split,
            encoding=encoding,
            on_error="strict",
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._text.fingerprint()

    def read(self, split: Split) -> Iterator[Text]:
        return self._text.read(split)
