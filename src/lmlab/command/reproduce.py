"""lmlab reproduce NAME: run a published experiment, hold it against the published number, record the row."""

import logging
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lmlab import config as configuration
from lmlab import tree
from lmlab.command import front
from lmlab.types import Mistake

log = logging.getLogger(__name__)

HEADER = """# Results

Each row was written by the command that it names.

| date | experiment | metric | published | ours | tolerance | verdict | seconds | command | commit | hardware |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def main(arguments: list[str]) -> int:
    """The command line of `lmlab reproduce`."""
    flags, words = front.split(arguments)
    papers = tree.groups().get("paper", {})
    if flags.help or not words:
        lines = [f"  {name:<28} {tree.describe(path)}" for name, path in papers.items()]
        return front.usage("lmlab reproduce NAME [key=value ...]", "Published experiments:", *lines)
    name, overrides = words[0], list(words[1:])
    if name not in papers:
        raise Mistake(f"there is no published experiment {name!r}; {configuration.nearest(name, papers)}")
    config = configuration.compose([f"paper={name}", *overrides])
    if config.expected is None:
        raise Mistake(f"{name} states no expected figure to be held against")
    expected = configuration.plain(config.expected)
    from lmlab.command.train import trained

    run = trained(config, [f"paper={name}", *overrides])
    row = verdict(name, overrides, expected, run)
    sys.stdout.write("\n".join(f"{key:<12}{value}" for key, value in row.items()) + "\n")
    append(results_file(), row)
    return 0 if row["verdict"] == "PASS" else 1


def verdict(name: str, overrides: Sequence[str], expected: dict[str, Any], run: Any) -> dict[str, str]:
    """Published, ours, tolerance, PASS or FAIL."""
    ours = run.summary.get(expected["metric"], math.nan)
    sign = 1.0 if expected["direction"] == "minimize" else -1.0
    passed = sign * ours <= sign * expected["published"] + expected["tolerance"]
    environment = run.environment
    hardware = environment.get("hardware", {})
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "experiment": name,
        "metric": expected["metric"],
        "published": f"{expected['published']} ({expected['source']})",
        "ours": f"{ours:.4f}",
        "tolerance": str(expected["tolerance"]),
        "verdict": "PASS" if passed else "FAIL",
        "seconds": f"{run.summary.get('seconds', 0):.0f}",
        "command": f"`lmlab reproduce {' '.join([name, *overrides])}`",
        "commit": commit_of(environment),
        "hardware": f"{hardware.get('cpu', 'CPU')}, {hardware.get('cores', '?')} cores",
    }


def commit_of(environment: dict[str, Any]) -> str:
    """The commit of lmlab's own checkout, `+` where it was changed."""
    for state in environment.get("code", []):
        if state.get("commit"):
            return str(state["commit"])[:10] + ("+" if state["is_changed"] else "")
    return "unknown"


def results_file() -> Path:
    """experiments/RESULTS.md of the checkout; of the folder one stands in where lmlab is installed from a wheel."""
    shipped = next((root for root in tree.roots() if root.name == "experiments" and (root / "paper").is_dir()), None)
    return (shipped or Path("experiments")) / "RESULTS.md"


def append(path: Path, row: dict[str, str]) -> None:
    """One more row of the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text(encoding="utf-8") if path.exists() else HEADER
    path.write_text(text.rstrip("\n") + "\n| " + " | ".join(row.values()) + " |\n", encoding="utf-8")
    log.info("noted in %s", path)
