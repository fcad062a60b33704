"""From what a user names to files: a file, a folder, or a pattern, in this order, so that `a (1) [b].txt` is a file."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lmlab.types import Mistake, Split

SUFFIXES = (".txt", ".gz")
"""What counts as text in a folder; a file that is named itself may be called anything."""


def find_files(wanted: str, key: str, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The files that `wanted`, the value of `key`, stands for, sorted; at least one. Of a folder, those with a suffix."""
    path = Path(wanted).expanduser()
    if path.is_dir():
        files = files_in(path.rglob("*"), suffixes)
        if not files:
            named = " or ".join(suffix for suffix in suffixes if suffix.count(".") == 1)
            raise Mistake(f"{key}={wanted} is a folder without {named} files; set {key} to a file or a pattern")
    elif path.exists():
        files = [path]
    else:
        files = [Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file()]
        if not files:
            raise Mistake(f"{key}={wanted} does not exist{_nearest(path)}; set {key} to a file, a folder or a pattern")
    closed = next((file for file in files if not os.access(file, os.R_OK)), None)
    if closed:
        raise Mistake(f"{closed} may not be read by you; change its permissions or {key}")
    return sorted(files)


def find_splits(
    path: str, val_path: str | None, test_path: str | None, suffixes: Sequence[str] = SUFFIXES
) -> dict[Split, list[Path]]:
    """The files of each split that has some of its own; one of validation that lies in the training folder is not trained on."""
    wanted: dict[Split, str | None] = {"val": val_path, "test": test_path}
    others = {part: find_files(str(own), f"data.{part}_path", suffixes) for part, own in wanted.items() if own}
    elsewhere = {file.resolve() for own in others.values() for file in own}
    train = [file for file in find_files(path, "data.path", suffixes) if file.resolve() not in elsewhere]
    if not train:
        raise Mistake(f"data.path={path} has no files but those of validation and test; set data.path to others")
    return {"train": train, **others}


def files_in(entries: Iterable[Path], suffixes: Sequence[str]) -> list[Path]:
    """Those of a folder's entries that are files with a suffix.

    Raises:
        Mistake: for a link that leads nowhere: what it should lead to would be missing without a word.
    """
    named = [entry for entry in entries if entry.name.endswith(tuple(suffixes))]
    if lost := next((entry for entry in named if entry.is_symlink() and not entry.exists()), None):
        raise Mistake(f"{lost} is a link to {lost.readlink()}, which does not exist; correct it or take it away")
    return [entry for entry in named if entry.is_file()]


def _nearest(path: Path) -> str:
    """What the folder holds that has a similar name; or which folder is missing, or where a link leads."""
    if path.is_symlink():
        return f": it is a link to {path.readlink()}"
    if not path.parent.is_dir():
        return f" (nor does the folder {path.parent})"
    names = sorted(entry.name for entry in path.parent.iterdir())
    similar = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    return f" (in {path.parent.resolve()} there is {', '.join(similar)})" if similar else ""
