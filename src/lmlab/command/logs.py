"""lmlab logs [TARGET] [job=N]: what a run, or a job of a sweep, has said."""

import sys
from pathlib import Path

from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab logs`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab logs [SWEEP|RUN] [job=N]",
            "Prints the log of a run, or of a job of a sweep; without job, of the last one that failed, else of the newest.",
        )
    from lmlab.launcher.find import find_target

    name, overrides = front.target(words)
    found = find_target(name)
    path = job_log(found, overrides) if isinstance(found, Path) else found.log_path
    if not path.exists():
        raise Mistake(f"{path} is not there yet: nothing was said")
    sys.stdout.write(path.read_text(encoding="utf-8", errors="replace"))
    return 0


def job_log(folder: Path, overrides: list[str]) -> Path:
    """The log of the job that was asked for."""
    from lmlab.launcher.files import log_path
    from lmlab.launcher.table import Table

    rows = Table(folder).rows()
    for override in overrides:
        key, _, value = override.partition("=")
        if key != "job" or not value.isdecimal() or not any(row.number == int(value) for row in rows):
            raise Mistake(f"{override!r}: give job=N, a number from 1 to {len(rows)}")
        return log_path(folder, next(row for row in rows if row.number == int(value)))
    started = [row for row in rows if row.attempts]
    if not started:
        raise Mistake(f"no job of {folder} has started yet")
    return log_path(folder, next((row for row in reversed(started) if row.state == "failed"), started[-1]))
