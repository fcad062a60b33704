"""lmlab diff A B: what differs between two runs in config, code, data, packages, hardware and results."""

import sys

from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab diff`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage("lmlab diff RUN RUN", "What differs between two runs in config, code, data and results.")
    if len(words) != 2:
        raise Mistake(f"lmlab diff takes two runs, not {len(words)}: lmlab diff 20261123-17 latest")
    from lmlab.launcher.find import find_run
    from lmlab.report.difference import difference, text

    first, second = (find_run(word) for word in words)
    sys.stdout.write(f"{text(difference(first, second))}\n")
    return 0
