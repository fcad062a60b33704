"""Where a published data set lies: below `data.root` or `LMLAB_DATA`, in one of its usual folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lmlab.types import Mistake

log = logging.getLogger(__name__)

Names = Sequence[str | Sequence[str]]
"""What a part goes by, in order of preference: a file or folder, or several that make up the part together."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a data set is called, where people get it, and in which folders they keep it."""

    name: str
    origin: str
    folders: Sequence[str]

    def find(
        self,
        root: str | None,
        files: Mapping[str, Names | None],
        stand_ins: Mapping[str, Names | None] | None = None,
    ) -> dict[str, tuple[Path, ...]]:
        """The files of each part; see find_published."""
        return find_published(self.name, self.origin, root, self.folders, files, stand_ins)


def find_published(
    name: str,
    origin: str,
    root: str | None,
    folders: Sequence[str],
    parts: Mapping[str, Names | None],
    stand_ins: Mapping[str, Names | None] | None = None,
    *,
    is_there: Callable[[Path], bool] = Path.is_file,
) -> dict[str, tuple[Path, ...]]:
    """The files or folders of each part, all below one folder: the one that has most of them.

    What stands for one part is not taken for another: that has then no files of its own.

    Args:
        stand_ins: what is taken, with a warning, where the part's own is missing.
        is_there: whether what has the name is what is wanted: a file, unless it is Path.is_dir.
    """
    own = {part: names for part, names in parts.items() if names}
    others = {part: (stand_ins or {}).get(part) or () for part in own}
    options = {part: [_together(names) for names in (*own[part], *others[part])] for part in own}
    wanted = {part: _spoken(choices[0]) for part, choices in options.items()}
    advice = f"get it from {origin} and set data.root or LMLAB_DATA to its folder"
    root = root or os.environ.get("LMLAB_DATA")
    if root is None:
        raise Mistake(f"{name} is not part of lmlab: it needs {', '.join(wanted.values())}; {advice}")
    places = [Path(root).expanduser() / folder for folder in (*folders, ".")]
    present = {place: _present(options, partial(_is_there, place, is_there)) for place in places}
    place = max(places, key=lambda place: len(present[place]))
    chosen = present[place]
    missing = [wanted[part] for part in own if part not in chosen]
    if missing:
        listed = str(place) if chosen else " or ".join(map(str, places))
        raise Mistake(f"{name} needs {', '.join(missing)}, not found in {listed}; {advice}")
    for part, names in chosen.items():
        if names in map(_together, others[part]):
            log.warning("%s: %s is not in %s; for %s, %s is read", name, wanted[part], place, part, _spoken(names))
    return {part: tuple(place / one for one in names) for part, names in chosen.items() if names}


def _is_there(place: Path, is_wanted: Callable[[Path], bool], name: str) -> bool:
    return is_wanted(place / name)


def _together(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _spoken(names: Sequence[str]) -> str:
    return " and ".join(names)


def _present(
    options: Mapping[str, Sequence[tuple[str, ...]]], is_there: Callable[[str], bool]
) -> dict[str, tuple[str, ...]]:
    """The first option of each part that is there; none of it, if another part has taken all that is there."""
    found: dict[str, tuple[str, ...]] = {}
    for part, choices in options.items():
        there = [names for names in choices if all(map(is_there, names))]
        free = [names for names in there if not any(set(names) & set(taken) for taken in found.values())]
        if there:
            found[part] = free[0] if free else ()
    return found
