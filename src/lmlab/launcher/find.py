"""The sweep or the run that a TARGET names, and who works on it."""

from __future__ import annotations

import os
from pathlib import Path

from lmlab.launcher.table import FILE
from lmlab.run.folder import RunFolder
from lmlab.run.store import find
from lmlab.types import Mistake

LATEST = "latest"


def sweeps_folder() -> Path:
    """Where sweeps are looked for."""
    return Path(os.environ.get("LMLAB_SWEEPS", "sweeps"))


def sweeps() -> list[Path]:
    """The folders of all sweeps, oldest first."""
    found = [path.parent for path in sweeps_folder().glob(f"*/{FILE}")]
    return sorted(found, key=lambda folder: (folder / FILE).stat().st_mtime)


def find_sweep(target: str) -> Path | None:
    """The sweep of this path or name; None: it is a run, if anything."""
    for folder in (Path(target), sweeps_folder() / target):
        if (folder / FILE).is_file():
            return folder
    return None


def find_target(target: str, output_dir: Path) -> Path | RunFolder:
    """The sweep's folder, or the run; `latest` is whichever was begun last."""
    sweep = find_sweep(target)
    if sweep is not None:
        return sweep
    try:
        run = find(target, output_dir)
    except Mistake:
        known = sweeps()
        if target == LATEST and known:
            return known[-1]
        if job := find_job(target):
            return job
        raise
    if target == LATEST and (known := sweeps()) and _age(known[-1] / "jobs") > _age(run.path):
        return known[-1]
    return run


def find_job(target: str) -> RunFolder | None:
    """A run that is a job of a sweep, by its id, the beginning of it, or its name."""
    for folder in reversed(sweeps()):
        try:
            return find(target, folder)
        except Mistake:
            continue
    return None


def _age(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
