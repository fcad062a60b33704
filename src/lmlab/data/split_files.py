"""A published corpus in the files in which people download it, found below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lmlab.data.text import TextFiles
from lmlab.types import Mistake, Split, Text


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
        named = {part: names for part, names in files.items() if names}
        found = _find(name, origin, root or os.environ.get("LMLAB_DATA"), folders, named)
        self._text = TextFiles(
            path=str(found["train"]),
            val_path=str(found["val"]) if "val" in found else None,
            test_path=str(found["test"]) if "test" in found else None,
            split=split,
            encoding=encoding,
            on_error="strict",
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._text.fingerprint()

    def read(self, split: Split) -> Iterator[Text]:
        return self._text.read(split)


def _find(
    name: str, origin: str, root: str | None, folders: Sequence[str], files: Mapping[str, Sequence[str]]
) -> dict[str, Path]:
    """The file of each split, all from one folder: the one that has most of them."""
    wanted = ", ".join(names[0] for names in files.values())
    advice = f"get it from {origin} and set data.root or LMLAB_DATA to its folder"
    if root is None:
        raise Mistake(f"{name} is not part of lmlab: it needs {wanted}; {advice}")
    places = [Path(root).expanduser() / folder for folder in (*folders, ".")]
    best = max((_present(place, files) for place in places), key=len)
    missing = [names[0] for split, names in files.items() if split not in best]
    if missing:
        where = [best[next(iter(best))].parent] if best else places
        listed = " or ".join(str(place) for place in where)
        raise Mistake(f"{name} needs {', '.join(missing)}, not found in {listed}; {advice}")
    return best


def _present(place: Path, files: Mapping[str, Sequence[str]]) -> dict[str, Path]:
    found = {split: [place / name for name in names if (place / name).is_file()] for split, names in files.items()}
    return {split: paths[0] for split, paths in found.items() if paths}
