"""Files of examples as splits of a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, Protocol, runtime_checkable

from lmlab.data.cache import cache_folder
from lmlab.data.document import check_encoding
from lmlab.data.equal_files import check_equal_files
from lmlab.data.fingerprint import file_hash
from lmlab.data.found import Found, Kind
from lmlab.data.parts import Parts
from lmlab.types import Mistake, Split


@runtime_checkable
class ExampleFile(Protocol):
    """A file of examples, or several that belong together."""

    @property
    def paths(self) -> tuple[Path, ...]: ...

    @property
    def encoding(self) -> str: ...

    def form(self) -> Any:
        """How it is read, in JSON's types: equal content and form, equal examples."""

    def examples(self, *, skip: bool) -> Iterator[Found[Any]]:
        """In the order of the file, whole or faulty."""


class ExampleFiles(Generic[Kind]):
    """Files of each split, read in the order of their content's hash, wherever they lie."""

    def __init__(
        self,
        files: Mapping[Split, Sequence[ExampleFile]],
        *,
        split: Mapping[str, int | float],
        on_error: str,
        ways: Sequence[str] = ("strict", "skip"),
        cache_dir: str | None,
    ) -> None:
        """`split` are the fractions of train for splits without files, `on_error` is one of the ways."""
        for file in (file for own in files.values() for file in own):
            check_encoding(file.encoding, on_error, ways)
        self._files, self._on_error = files, on_error
        self._cache = cache_folder(cache_dir)
        self._parts: Parts[Kind] = Parts(
            {part: partial(self._examples, part) for part in files}, fractions=split, skip=on_error != "strict"
        )

    def fingerprint(self) -> str:
        forms = {part: [(key, file.form()) for key, file in own] for part, own in self._hashed.items()}
        content = [forms, self._parts.fractions, self._on_error]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Kind]:
        return self._parts.read(split)

    @cached_property
    def _hashed(self) -> dict[Split, list[tuple[list[str], ExampleFile]]]:
        hashed = {
            part: sorted((([file_hash(path, self._cache) for path in file.paths], file) for file in own), key=_key)
            for part, own in self._files.items()
        }
        check_equal_files({part: [(tuple(keys), file.paths[0]) for keys, file in own] for part, own in hashed.items()})
        return hashed

    def _examples(self, split: Split) -> Iterator[Found[Kind]]:
        for _, file in self._hashed[split]:
            empty = True
            for found in file.examples(skip=self._on_error != "strict"):
                empty = False
                yield found
            if empty:
                raise Mistake(f"{file.paths[0]} has no example in it; give a file that has, or leave it out")


def _key(hashed: tuple[list[str], ExampleFile]) -> tuple[list[str], tuple[Path, ...]]:
    return hashed[0], hashed[1].paths
