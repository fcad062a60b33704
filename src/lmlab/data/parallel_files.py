"""A published parallel corpus in the files in which people download it, below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from lmlab.data.example_files import ExampleFiles
from lmlab.data.line_files import LineFiles
from lmlab.data.published import Published
from lmlab.examples import SourceTarget
from lmlab.types import Mistake, Split

PART, LANGUAGE = "PART", "LANGUAGE"
"""Stand in a file's name for the split and the language that the file is of."""


class ParallelFiles:
    """A file per split and language, one text a line; a split without is cut from train."""

    example = SourceTarget

    def __init__(
        self,
        *,
        published: Published,
        root: str | None,
        source: str,
        target: str,
        parts: Mapping[str, Sequence[str] | None],
        files: Sequence[str],
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        """`parts` gives the words for each split, `files` the names around them"""
        if source == target:
            raise Mistake(f"data.source and data.target are both {source}; set data.target to another language")
        if not any(LANGUAGE in name for name in files):
            raise Mistake(f"data.files={list(files)} has no LANGUAGE; set data.files to names such as PART.LANGUAGE")
        names = {
            part: [
                [name.replace(PART, word).replace(LANGUAGE, language) for language in (source, target)]
                for word in words or ()
                for name in files
            ]
            for part, words in parts.items()
        }
        found = published.find(root, names)
        self._files: ExampleFiles[SourceTarget] = ExampleFiles(
            {cast(Split, part): [LineFiles(paths[0], paths[1:], encoding)] for part, paths in found.items()},
            split=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def read(self, split: Split) -> Iterator[SourceTarget]:
        return self._files.read(split)
