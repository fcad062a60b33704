"""The sweep or the run that a TARGET names, and who works on it."""

from __future__ import annotations

import os
from pathlib import Path

from lmlab.launcher.files import COMMAND
from lmlab.launcher.table import FILE
from lmlab.run.folder import RunFolder
from lmlab.run.store import find
from lmlab.types import Mistake

LATEST = "latest"


def output_dir() -> Path:
    """Where runs are looked for."""
    return Path(os.environ.get("LMLAB_RUNS", "runs"))


def sweeps_folder() -> Path:
    """Where sweeps are looked for."""
    return Path(os.environ.get("LMLAB_SWEEPS", "sweeps"))


def sweeps() -> list[Path]:
    """The folders of all sweeps, oldest first."""
    found = [path.parent for path in sweeps_folder().glob(f"*/{FILE}")]
    return sorted(found, key=lambda folder: _age(folder / COMMAND))


def find_sweep(target: str) -> Path | None:
    """The sweep of this path or name; None: it is a run, if anything."""
    for folder in (Path(target), sweeps_folder() / target):
        if (folder / FILE).is_file():
            return folder
    return None


def find_target(target: str) -> Path | RunFolder:
    """The sweep's folder, or the run; `latest` is whichever was begun last."""
    sweep = find_sweep(target) or (newest_sweep() if target == LATEST else None)
    return find_run(target) if sweep is None else sweep


def find_run(name: str) -> RunFolder:
    """The run that a TARGET names, be it a job of a sweep."""
    try:
        return find(name, output_dir())
    except Mistake:
        if (job := find_job(name)) is not None:
            return job
        raise


def newest_sweep() -> Path | None:
    """The sweep begun last, where it was begun after every run outside it."""
    known = sweeps()
    return known[-1] if known and _age(known[-1] / COMMAND) > _age(output_dir() / LATEST) else None


def find_job(target: str) -> RunFolder | None:
    """A run that is a job of a sweep, by its id, the beginning of it, or its name."""
    for folder in reversed(sweeps()):
        try:
            return find(target, folder)
        except Mistake:
            continue
    return None


def _age(path: Path) -> float:
    return path.lstat().st_mtime if path.is_symlink() or path.exists() else 0.0
