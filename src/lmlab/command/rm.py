"""lmlab rm RUN ... | cache: delete runs, or what lmlab can make again."""

import shutil
import sys
from pathlib import Path

from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab rm`."""
    flags, words = front.split(arguments)
    if flags.help or not words:
        return front.usage(
            "lmlab rm RUN [RUN ...]   |   lmlab rm cache [--help]",
            "Deletes run folders, or the cache of parsed text and token arrays, and says how much space that freed.",
        )
    if words == ["cache"]:
        from lmlab.data.cache import cache_folder

        return _remove([cache_folder(None)])
    from lmlab.launcher.find import find_run

    found = [find_run(word) for word in words]
    for run in found:
        if run.holder is not None:
            raise Mistake(f"{run.path} is running on {run.holder}; stop it first")
    return _remove([run.path for run in found])


def _remove(folders: list[Path]) -> int:
    for folder in folders:
        size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
        shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
        sys.stdout.write(f"removed {folder} ({size / 1e6:.1f} MB)\n")
    return 0
