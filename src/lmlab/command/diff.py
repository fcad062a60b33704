"""lmlab diff A B: what differs between two runs in config, code, data, packages, hardware and results."""

import sys

from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab diff`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab diff RUN RUN",
            "What differs between two runs in config, code, data and results; where both kept statistics of the same examples,",
            "also how sure the difference of the loss is over examples (paired bootstrap).",
        )
    if len(words) != 2:
        raise Mistake(f"lmlab diff takes two runs, not {len(words)}: lmlab diff 20261123-17 latest")
    from lmlab.launcher.find import find_run
    from lmlab.report.difference import difference, text
    from lmlab.report.over_examples import between

    first, second = (find_run(word) for word in words)
    tested = between(first, second)
    sys.stdout.write("".join(f"{part}\n" for part in (text(difference(first, second)), tested) if part))
    return 0
