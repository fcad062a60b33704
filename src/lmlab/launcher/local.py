"""lmlab train -m: every combination of the swept values, each in a process of its own, one after the other."""

import itertools
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence

from hydra.core.override_parser.types import Override

from lmlab import config as configuration
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def multirun(overrides: Sequence[str]) -> int:
    """Checks all jobs, runs them, says which failed; 1 if any did."""
    jobs = list(combinations(overrides))
    check(jobs)
    failed = []
    for number, job in enumerate(jobs, start=1):
        log.info("job %d of %d: %s", number, len(jobs), " ".join(job))
        code = subprocess.run([sys.executable, "-m", "lmlab", "train", *job], check=False).returncode
        if code:
            failed.append(job)
            log.error("job %d failed with exit code %d", number, code)
    log.info("%d of %d jobs done, %d failed", len(jobs) - len(failed), len(jobs), len(failed))
    return 1 if failed else 0


def check(jobs: Sequence[Sequence[str]]) -> None:
    """Refuses the whole sweep for what is wrong with any of its jobs, before the first starts."""
    from lmlab.command.experiment import resolve
    from lmlab.command.rehearse import rehearse

    if not jobs:
        raise Mistake("the sweep has no jobs: one of its keys has no values")
    for number, job in enumerate(jobs, start=1):
        try:
            rehearse(resolve(configuration.compose(job)))
        except Mistake as mistake:
            own = [word for word in job if not all(word in other for other in jobs)]
            raise Mistake(
                "\n".join(f"job {number} ({' '.join(own)}): {line}" for line in str(mistake).split("\n"))
            ) from mistake


def combinations(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The product of all sweeps, the last varying fastest, as Hydra orders them."""
    parsed = configuration.parse([configuration.quoted(override) for override in overrides])
    choices = [list(choices_of(override, typed)) for override, typed in zip(parsed, overrides)]
    for chosen in itertools.product(*choices):
        yield list(chosen)


def choices_of(override: Override, typed: str) -> Iterator[str]:
    """What one override is in each job."""
    if not override.is_sweep_override():
        yield typed
        return
    key = override.get_key_element()
    for value in override.sweep_string_iterator():
        yield f"{key}={value}"
