"""Labelled texts in folders: one of each split, in it one of each label, in it text files."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import cast

from lmlab.data.cache import cache_folder
from lmlab.data.characters import check_characters, decoded
from lmlab.data.document import check_encoding
from lmlab.data.find import files_in
from lmlab.data.fingerprint import file_hash
from lmlab.data.found import Fault, Found
from lmlab.data.labelled_parts import LabelledParts
from lmlab.data.published import Names, find_published
from lmlab.examples import Labelled
from lmlab.types import Mistake, Split

SUFFIXES = (".txt", ".txt.gz")


class LabelledFolders:
    """Every file is an example; a split without a folder is cut from train."""

    example = Labelled

    def __init__(
        self,
        *,
        name: str,
        origin: str,
        root: str | None,
        folders: Sequence[str],
        parts: Mapping[str, Names | None],
        labels: Sequence[str] | None,
        split: Mapping[str, int | float],
        replace: Sequence[Sequence[str]] | None,
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        """`parts` gives the names that each split's folder goes by, `folders` where below the root they may lie."""
        check_encoding(encoding, on_error, ("strict", "skip"))
        self._encoding, self._on_error, self._replace = encoding, on_error, replace or ()
        self._cache = cache_folder(cache_dir)
        found = find_published(name, origin, root, folders, parts, is_there=Path.is_dir)
        self._folders = {cast(Split, part): _by_label(paths[0], labels) for part, paths in found.items()}
        self._parts = LabelledParts(
            {part: [partial(self._examples, part)] for part in self._folders},
            fractions=split,
            skip=on_error == "skip",
            several=False,
        )

    def fingerprint(self) -> str:
        hashes = {
            part: {label: [file_hash(path, self._cache) for path in paths] for label, paths in by_label.items()}
            for part, by_label in self._files.items()
        }
        content = [hashes, self._parts.fractions, self._encoding, self._on_error, [*map(list, self._replace)]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Labelled]:
        return self._parts.read(split)

    @cached_property
    def _files(self) -> dict[Split, dict[str, list[Path]]]:
        """The text files of every label, sorted by name."""
        return {
            part: {label: _text_files(folder) for label, folder in by_label.items()}
            for part, by_label in self._folders.items()
        }

    def _examples(self, part: Split) -> Iterator[Found[Labelled]]:
        for label, paths in self._files[part].items():
            for path in paths:
                yield Found(path.parent, path.name, self._example(path, label))

    def _example(self, path: Path, label: str) -> Labelled | Fault:
        try:
            text = decoded(path, self._encoding, skip=self._on_error == "skip")
            check_characters(text, self._encoding)
        except Fault as fault:
            return fault
        except Mistake as mistake:
            if self._on_error != "skip":
                raise
            what, _, change = str(mistake).removeprefix(f"{path} ").partition("; ")
            return Fault(what, change)
        for written, meant in self._replace:
            text = text.replace(written, meant)
        return Labelled((text,), (label,)) if text.strip() else Fault("is empty", "write a text, or remove the file")


def _by_label(folder: Path, labels: Sequence[str] | None) -> dict[str, Path]:
    """The folder of every label, in alphabetical order."""
    there = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for label in labels or ():
        if label not in there:
            similar = difflib.get_close_matches(label, there, n=1, cutoff=0.5)
            nearest = f" (but {similar[0]})" if similar else ""
            listed = ", ".join(there[:12]) or "none"
            raise Mistake(
                f"data.labels has {label}, and {folder} no such folder{nearest}; set data.labels to some of {listed}"
            )
    if not there:
        raise Mistake(
            f"{folder} has no folders, and each label has one; set data.root to the folder above those of the splits"
        )
    return {label: folder / label for label in there if labels is None or label in labels}


def _text_files(folder: Path) -> list[Path]:
    files = sorted(files_in(folder.iterdir(), SUFFIXES))
    if not files:
        raise Mistake(f"{folder} has no .txt files; set data.labels to the folders that have, or data.root to another")
    return files
