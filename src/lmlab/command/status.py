"""lmlab status [TARGET]: how a sweep, or a run, stands."""

import sys
from pathlib import Path

from lmlab.command import front


def main(arguments: list[str]) -> int:
    """The command line of `lmlab status`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab status [SWEEP|RUN]",
            "Jobs of a sweep by state, with their figures and what made them fail; or the state of a run.",
        )
    from lmlab.launcher.find import find_target

    name, _ = front.target(words)
    found = find_target(name)
    lines = sweep_lines(found) if isinstance(found, Path) else [f"{found.path}: {found.status}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def sweep_lines(folder: Path) -> list[str]:
    """A line a job, then how many are in which state."""
    from collections import Counter

    from lmlab.launcher.table import STATES, Table
    from lmlab.run.lock import holder

    rows = Table(folder).rows()
    lines = []
    for row in rows:
        figure = "" if row.value is None else f"  {row.value:.5g}"
        reason = f"  {row.message}" if row.message else ""
        lines.append(f"{row.number:>5}  {row.state:<8}{row.label()}{figure}{reason}")
    counts = Counter(row.state for row in rows)
    worker = holder(folder)
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return [*lines, f"{folder}: {states}; {f'running on {worker}' if worker else 'nobody works on it'}"]
