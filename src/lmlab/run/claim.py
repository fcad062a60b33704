"""Numbered claims: files 1, 2, 3 ... in a folder, of which the highest number holds.

Creating a file that must not exist yet is the one step that every shared folder makes atomic. Whoever wants to follow
claim n creates n + 1: of several at once exactly one succeeds. Replacing one file in place has no such guarantee: a
slow process could remove the claim of the one that was faster. The highest claim is never deleted, so no number is
given twice; a process that acts on an old look at the folder finds a higher number than its own, and has lost.
"""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

FREED = ".free"


@dataclass(frozen=True)
class Claim:
    """One claim, as it was when the folder was looked at."""

    path: Path
    number: int
    content: str
    is_free: bool = False
    """Whether its owner has given it back; the number stays taken."""


def highest(folder: Path) -> Claim | None:
    """The claim that holds, or None where there has been none."""
    while True:
        names = _names(folder)
        if not names:
            return None
        name = max(names, key=_number)
        try:
            content = (folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:  # followed or given back since the look
            continue
        return Claim(folder / name, _number(name), content, is_free=name.endswith(FREED))


def follow(folder: Path, last: Claim | None, content: str) -> Claim | None:
    """Claim the number after `last`; None if somebody else was faster."""
    folder.mkdir(parents=True, exist_ok=True)
    number = last.number + 1 if last else 1
    path = folder / str(number)
    if not _created(path, content):
        return None
    others = [name for name in _names(folder) if name != path.name]
    if any(_number(name) >= number for name in others):
        path.unlink(missing_ok=True)
        return None
    for name in others:
        (folder / name).unlink(missing_ok=True)
    return Claim(path, number, content)


def give_back(claim: Claim) -> None:
    """Mark the claim as free for the next one."""
    try:
        os.rename(claim.path, claim.path.with_name(f"{claim.number}{FREED}"))
    except FileNotFoundError:  # followed by somebody who held its owner for dead, or the whole folder was deleted
        return


def _created(path: Path, content: str) -> bool:
    """Whether the file was made by this call; it has its content from the first moment on."""
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    temporary.write_text(content, encoding="utf-8")
    try:
        os.link(temporary, path)
    except FileExistsError:
        return temporary.stat().st_nlink == 2  # NFS may report a link that was made, after a lost answer, as failed
    except OSError:  # no hard links here (FAT, some FUSE mounts)
        return _created_exclusively(path, content)
    finally:
        temporary.unlink()
    return True


def _created_exclusively(path: Path, content: str) -> bool:
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.removesuffix(FREED).isdecimal()]
    except FileNotFoundError:
        return []


def _number(name: str) -> int:
    return int(name.removesuffix(FREED))
