"""lmlab report [RUN]: write the run's page and say where it is."""

import sys

from lmlab.command import front


def main(arguments: list[str]) -> int:
    """The command line of `lmlab report`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage("lmlab report [RUN]", "Writes report.html from the run's folder and prints its path.")
    from lmlab.command.load import find_run
    from lmlab.report.html import write_report

    name, _ = front.target(words)
    sys.stdout.write(f"{write_report(find_run(name))}\n")
    return 0
