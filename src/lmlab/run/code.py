"""Which code a run was made with: commit and changes of lmlab's checkout and of the folder that the user works in."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lmlab.run import json_file

SOURCES = (".py", ".yaml", ".yml", ".toml")
"""New files of these kinds are in the diff with their content, so that commit and diff are the whole code."""

MAX_DIFF = 1_000_000
"""Bytes per checkout; a longer diff is cut off, and `is_diff_complete` is false."""

MAX_NAMES = 200

DIFF = "code.diff"


def state(folder: Path, *, package: Path, cwd: Path) -> list[dict[str, Any]]:
    """The checkouts that take part, lmlab's first; their changes are written to `<folder>/code.diff`."""
    roots = [root for root in (_root_of_package(package), _root(cwd)) if root is not None]
    states, diffs = [], []
    for root in dict.fromkeys(roots):
        untracked = _git(root, "ls-files", "--others", "--exclude-standard").splitlines()
        diff = _diff(root, [name for name in untracked if name.endswith(SOURCES)])
        states.append(
            {
                "folder": str(root),
                "commit": _git(root, "rev-parse", "HEAD").strip(),
                "is_changed": bool(diff or untracked),
                "is_diff_complete": len(diff.encode()) <= MAX_DIFF,
                "untracked": untracked[:MAX_NAMES],
            }
        )
        diffs.append(f"# {root}\n{diff.encode()[:MAX_DIFF].decode(errors='ignore')}" if diff else "")
    if any(diffs):
        json_file.write_text(folder / DIFF, "".join(diffs))
    else:
        (folder / DIFF).unlink(missing_ok=True)  # of an earlier start of this run
    return states


def _root_of_package(package: Path) -> Path | None:
    """The checkout that holds the package; None if it is installed (be it below somebody's checkout)."""
    root = _root(package)
    is_tracked = root is not None and _git(package, "ls-files", "--", "types.py").strip() != ""
    return root if is_tracked else None


def _root(folder: Path) -> Path | None:
    root = _git(folder, "rev-parse", "--show-toplevel").strip()
    return Path(root) if root else None


def _diff(root: Path, new: list[str]) -> str:
    """All changes against the commit, new sources with them; made on a copy of the index, which stays as it is."""
    index = Path(_git(root, "rev-parse", "--absolute-git-dir").strip()) / "index"
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "index"
        if index.is_file():
            shutil.copyfile(index, copy)
        variables = {"GIT_INDEX_FILE": str(copy)}
        _git(root, "add", "--intent-to-add", "--pathspec-from-file=-", variables=variables, given="\n".join(new))
        return _git(root, "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", variables=variables)


def _git(folder: Path, *arguments: str, variables: dict[str, str] | None = None, given: str = "") -> str:
    """What git answers; empty where there is no git, no checkout, or no answer in time."""
    command = ["git", "-C", str(folder), "-c", "core.quotepath=off", *arguments]
    try:
        every = {**os.environ, **(variables or {})}
        answer = subprocess.run(command, capture_output=True, timeout=30, env=every, input=given.encode(), check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.decode(errors="replace") if answer.returncode == 0 else ""
