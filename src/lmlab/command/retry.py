"""lmlab retry [SWEEP]: go on with a sweep by the command that it was started with; what failed is tried again."""

import logging

import yaml

from lmlab.command import front
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """The command line of `lmlab retry`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab retry [SWEEP]",
            "Runs what is not done, failed jobs as well, each from its newest checkpoint; like the same command again.",
        )
    from lmlab.launcher.files import COMMAND
    from lmlab.launcher.find import find_sweep, sweeps
    from lmlab.launcher.sweep import sweep

    name, _ = front.target(words)
    known = sweeps()
    folder = known[-1] if name == "latest" and known else find_sweep(name)
    if folder is None:
        nearest = ", ".join(path.name for path in known[-3:]) or "none"
        raise Mistake(f"there is no sweep {name!r}; there are: {nearest} (a run is continued by lmlab resume)")
    overrides = yaml.safe_load((folder / COMMAND).read_text(encoding="utf-8"))
    named = [word for word in overrides if not word.startswith(("sweep.name=", "sweep.dir="))]
    log.info("lmlab train -m %s", " ".join(overrides))
    return sweep([*named, f"sweep.name={folder.name}", f"sweep.dir={folder.parent}"])
