"""lmlab rerun RUN [exact=true]: train a run again from its stored configuration and report every difference."""

import logging
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lmlab.command import front
from lmlab.command.stored import stored
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """The command line of `lmlab rerun`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab rerun [RUN] [exact=true]",
            "Trains a run again from its stored configuration and reports every difference in config, code, data,",
            "packages, threads and results. exact=true: with the code of its stored commit and diff.",
        )
    from lmlab.launcher.find import find_run

    name, overrides = front.target(words)
    run = find_run(name)
    exact = "exact=true" in overrides
    unknown = [word for word in overrides if word not in ("exact=true", "exact=false")]
    if unknown:
        raise Mistake(
            f"lmlab rerun takes exact=true only, not {unknown[0]!r}; to change values: lmlab train {unknown[0]}"
        )
    return _exact(run) if exact else again(run)


def again(run: Any) -> int:
    """Trains anew with the code as it is, and compares."""
    from lmlab.command.train import train
    from lmlab.report.difference import difference, text
    from lmlab.run.store import find

    config = stored(run.path / "config.yaml")
    config.fresh = True
    config.name = f"rerun of {run.id}"
    code = train(config, run.overrides)
    new = find("latest", Path(config.output_dir))
    sys.stdout.write(f"\n{text(difference(run, new))}\n")
    return code


def _exact(run: Any) -> int:
    """The same in a checkout of the stored commit with the stored diff."""
    stored = next((state for state in run.environment.get("code", []) if state.get("commit")), None)
    if stored is None:
        raise Mistake(
            f"{run.path} does not know its commit: its code was not a git checkout; lmlab rerun without exact=true"
        )
    if not stored["is_diff_complete"]:
        raise Mistake(f"{run.diff_path} was too long to be kept whole; lmlab rerun without exact=true")
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "code"
        _git("clone", "--quiet", "--no-checkout", stored["folder"], str(checkout))
        _git("-C", str(checkout), "checkout", "--quiet", stored["commit"])
        if changes := _changes(run, stored["folder"]):
            diff = Path(folder) / "diff"
            diff.write_text(changes, encoding="utf-8")
            _git("-C", str(checkout), "apply", str(diff))
        if not (checkout / "src" / "lmlab").is_dir():
            raise Mistake(f"{stored['folder']} is no checkout of lmlab; lmlab rerun without exact=true")
        log.info("code of %s", stored["commit"][:12])
        command = [sys.executable, "-m", "lmlab", "rerun", str(run.path.resolve())]
        return subprocess.run(
            command, env={**_environment(), "PYTHONPATH": str(checkout / "src")}, check=False
        ).returncode


def _changes(run: Any, root: str) -> str:
    """What was changed in one checkout; code.diff holds those of all, each after a line with its folder."""
    text = run.diff_path.read_text(encoding="utf-8") if run.diff_path.exists() else ""
    changes = f"\n{text}".partition(f"\n# {root}\n")[2]
    return re.split(r"^# /", changes, maxsplit=1, flags=re.MULTILINE)[0]


def _environment() -> dict[str, str]:
    import os

    return dict(os.environ)


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Mistake(f"the stored code cannot be restored: git {arguments[0]} says {done.stderr.strip()}")
