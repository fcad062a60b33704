"""Image files with what is said of each, all read before the first one is given out, so that none is found faulty later."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lmlab.data.cache import cache_folder
from lmlab.data.fingerprint import file_hash
from lmlab.data.found import Fault
from lmlab.data.picture import read_picture
from lmlab.examples import Captioned
from lmlab.types import Mistake, Split

log = logging.getLogger(__name__)

NAMED = 3
"""So many of the images that were left out are told."""


@dataclass(frozen=True)
class Picture:
    """A file, what is said of it, and where that stands, for messages."""

    path: Path
    texts: tuple[str, ...]
    place: str


class Pictures:
    """Those of each split, held in memory in one size.

    Args:
        size: pixels of each side.
        channels: 1: grey; 3: colour.
        on_error: strict: a faulty image is refused; skip: it is left out, counted and told.
        cache_dir: where hashes of large files are kept.
    """

    def __init__(
        self,
        splits: Mapping[Split, Sequence[Picture]],
        *,
        size: int,
        channels: int,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if size < 1:
            raise Mistake(f"data.size={size} leaves nothing of an image; set it to 32, for example")
        self._splits, self._size, self._channels, self._on_error = splits, size, channels, on_error
        self._cache = cache_folder(cache_dir)

    def fingerprint(self) -> str:
        content = {
            split: [[content_of(one.path, self._cache), one.texts] for one in pictures]
            for split, pictures in self._splits.items()
        }
        whole = json.dumps([content, self._size, self._channels, self._on_error], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Captioned]:
        yield from self._whole.get(split, ())

    @cached_property
    def _whole(self) -> dict[Split, list[Captioned]]:
        """The images of which nothing is wrong."""
        faults: list[str] = []
        found: dict[Split, list[Captioned]] = {}
        for split, pictures in self._splits.items():
            found[split] = []
            for one in pictures:
                try:
                    found[split].append(self._read(one))
                except Fault as fault:
                    faults.append(self._left_out(one, fault))
        if faults:
            more = f", and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
            were = "image was" if len(faults) == 1 else "images were"
            log.warning("%s %s left out: %s%s", f"{len(faults):,}", were, "; ".join(faults[:NAMED]), more)
        for split, examples in found.items():
            if not examples and split != "test":
                raise Mistake(f"the {split} split has no image that can be read; give some, or another data.split")
        return found

    def _read(self, one: Picture) -> Captioned:
        if not all(text.strip() for text in one.texts):
            raise Fault("has an empty caption", "write what is in the image")
        return Captioned(one.path.name, one.texts, read_picture(one.path, size=self._size, channels=self._channels))

    def _left_out(self, one: Picture, fault: Fault) -> str:
        if self._on_error == "strict":
            raise Mistake(
                f"{one.path} ({one.place}) {fault.what}; {fault.change}, or set data.on_error=skip to leave such images out"
            )
        return f"{one.path.name} ({one.place}) {fault.what}"


def content_of(path: Path, cache: Path) -> str | None:
    """A hash of a file; None where it cannot be read, which is said, or counted, when it is wanted."""
    try:
        return file_hash(path, cache)
    except OSError:
        return None
