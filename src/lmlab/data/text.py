"""Anyone's text files: every file is a document.

Training, validation and test parts are files of their own, or are cut from `path`: its documents, in the order of their
content's hash, as one line of characters of which train takes the first part, then val, then test. So one long file is
cut twice, many files are in effect drawn at random, and the parts are the same wherever the files lie.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from lmlab.data.cache import cache_folder
from lmlab.data.document import check_encoding, read_document
from lmlab.data.equal_files import check_equal_files
from lmlab.data.find import find_splits
from lmlab.data.fingerprint import file_hash
from lmlab.data.portion import check_fractions, spans
from lmlab.types import Mistake, Split, Text

log = logging.getLogger(__name__)


class TextFiles:
    """Plain or gzip-compressed text in a file, a folder or a pattern."""

    example = Text

    def __init__(
        self,
        *,
        path: str | None,
        val_path: str | None,
        test_path: str | None,
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        check_encoding(encoding, on_error)
        check_fractions(split)
        if path in (None, "", "???"):
            raise Mistake("this data needs data.path: a file, a folder or a pattern, such as data.path=novel.txt")
        self._path, self._encoding, self._on_error = str(path), encoding, on_error
        self._cache = cache_folder(cache_dir)
        found = find_splits(self._path, val_path, test_path)
        self._files = found.pop("train")
        self._own = found
        self._fractions = {name: fraction for name, fraction in split.items() if name not in self._own and fraction}
        if "val" not in self._own and "val" not in self._fractions:
            raise Mistake("data.split.val=0 leaves no validation text; set data.split.val=0.05 or data.val_path")
        self._told: set[str] = set()

    def fingerprint(self) -> str:
        hashes = [[name, *self._hashes[name]] for name in sorted(self._hashes)]
        content = [hashes, sorted(self._fractions.items()), self._encoding, self._on_error]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Text]:
        if split in self._own:
            yield from self._whole(split)
        else:
            yield from self._cut(*self._spans[split])

    def _whole(self, split: Split) -> Iterator[Text]:
        """All of the files that are the split's own."""
        empty = True
        for file in self._hashes[split].values():
            for text in self._part(file, 0, None):
                empty = False
                yield text
        if empty:
            raise Mistake(f"data.{split}_path is empty; set data.{split}_path to a file with text, or to null")

    def _cut(self, start: int, end: int) -> Iterator[Text]:
        """Characters start ... end of all documents, one after another."""
        offset = 0
        for file, length in self._lengths.items():
            if offset < end and offset + length > start:
                yield from self._part(file, max(start - offset, 0), end - offset)
            offset += length

    def _part(self, file: Path, start: int, end: int | None) -> Iterator[Text]:
        text = self._document(file)[start:end]
        if text:
            yield Text(text)

    def _document(self, file: Path) -> str:
        return read_document(file, encoding=self._encoding, on_error=self._on_error, warn=self._warn)

    def _warn(self, message: str) -> None:
        """Once: a file is read for its length and for each split."""
        if message not in self._told:
            log.warning(message)
            self._told.add(message)

    @cached_property
    def _hashes(self) -> dict[Split, dict[str, Path]]:
        """Content hash -> file of each part, in the order in which the files are read; of equal files one."""
        parts: dict[Split, list[Path]] = {"train": self._files, **self._own}
        hashed = {
            name: dict(sorted((file_hash(file, self._cache), file) for file in files)) for name, files in parts.items()
        }
        check_equal_files({name: [*own.items()] for name, own in hashed.items()})
        return hashed

    @cached_property
    def _lengths(self) -> dict[Path, int]:
        """Characters of each file that is cut."""
        files = self._hashes["train"].values()
        return {file: len(self._document(file)) for file in files}

    @cached_property
    def _spans(self) -> dict[Split, tuple[int, int]]:
        total = sum(self._lengths.values())
        if not total:
            raise Mistake(f"data.path={self._path} is empty; set data.path to a file with text")
        needed = max((math.ceil(1 / fraction) for fraction in self._fractions.values()), default=1)
        if total < needed:
            raise Mistake(
                f"data.path={self._path} holds {total} characters, too few for data.split={self._fractions}: "
                f"at least {needed} are needed; give more text or larger fractions"
            )
        return spans(total, self._fractions)
