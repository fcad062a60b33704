"""A folder of the cache that several jobs may ask for at once: each builds one of its own and renames it; the first one wins."""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from lmlab import told
from lmlab.types import Mistake

ATTEMPTS = 4
"""Another process may set aside what was damaged just when this one has made it again."""

Opened = TypeVar("Opened")


def published(path: Path, opened: Callable[[Path], Opened | None], build: Callable[[Path], None]) -> Opened:
    """What a folder holds, made where it is not there.

    Args:
        opened: of a folder; None where it is missing, incomplete or of wrong sizes.
        build: fills an empty folder.

    Raises:
        Mistake: where the cache cannot be written.
    """
    for attempt in range(ATTEMPTS):
        found = opened(path)
        if found is not None:
            if not attempt:
                told.again(path)
            return found
        try:
            _publish(path, opened, build)
        except OSError as error:
            explain(error, path, "tokens")
            raise
    raise OSError(f"{path} is damaged as often as it is made")


def explain(error: OSError, path: Path, what: str) -> None:
    """Raises a Mistake for a folder of the cache that cannot be written, which is the user's to change."""
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your quota is used up",
        errno.EACCES: "you may not write there",
        errno.EROFS: "it is read-only",
        errno.ENOTDIR: "a part of the path is a file",
    }
    if error.errno in reasons:
        raise Mistake(
            f"cannot keep the {what} in {path.parent}: {reasons[error.errno]}; "
            "set LMLAB_CACHE to a folder with room, or clear it with: lmlab rm cache"
        ) from None


def _publish(path: Path, opened: Callable[[Path], Opened | None], build: Callable[[Path], None]) -> None:
    """Build in a folder beside, then rename it, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=path.parent))
    try:
        with told.kept(building):
            build(building)
        building.chmod(0o755)  # mkdtemp's 0o700 would shut out others who share the cache
        try:
            building.rename(path)  # refused where a folder with something in it stands: whole, or half of one
        except OSError:
            if opened(path) is None:
                _set_aside(path)
                building.rename(path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _set_aside(path: Path) -> None:
    """Half a folder makes room, at once, so that no other process sees a part of it go."""
    aside = Path(tempfile.mkdtemp(prefix=".building-", dir=path.parent))
    with suppress(FileNotFoundError):  # another process was faster
        path.rename(aside / path.name)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what builds that were killed a day ago or earlier have left."""
    for left in folder.glob(".building-*"):
        if left.stat().st_mtime < time.time() - 86400:
            shutil.rmtree(left, ignore_errors=True)
