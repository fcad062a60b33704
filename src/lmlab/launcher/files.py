"""What lies in a sweep's folder beside its table and its runs."""

from __future__ import annotations

from pathlib import Path

from lmlab.launcher.table import Row

COMMAND = "command.yaml"
"""What was typed: `lmlab retry` goes on by it."""


def config_path(folder: Path, row: Row) -> Path:
    """Where a job's composed configuration lies."""
    return folder / "jobs" / f"{row.number:04d}.yaml"


def log_path(folder: Path, row: Row) -> Path:
    """Where everything that a job prints goes."""
    return folder / "logs" / f"{row.number:04d}.txt"


def last_lines(path: Path, number: int) -> list[str]:
    """The end of a log."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16_384))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.strip()][-number:]
