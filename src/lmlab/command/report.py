"""lmlab report [RUN | SWEEP]: write its page and say where it is; of a sweep, print its table."""

import sys

from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab report`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab report [RUN | SWEEP] [metric=KEY,...] [rows=KEY,...] [columns=KEY,...] [test=seed|bootstrap|randomisation] "
            "[direction=minimize|maximize] [format=text|markdown|latex|csv]",
            "Writes report.html from the folder of a run or a sweep and prints its path; of a sweep, also the table:",
            "mean and 95 % interval over seeds, marked where significantly best, with the runs behind each number;",
            "of several metrics the first is tested, over seeds or, with test=bootstrap or test=randomisation, over the",
            "examples of the split, also of one seed. Where strategy, devices or precision vary, speed, memory and the",
            "difference of the losses stand beside it.",
            "  lmlab report sweeps/heads metric=val/loss rows=model columns=data format=latex",
            "  lmlab report sweeps/heads metric=test/loss rows=model test=bootstrap",
        )
    from lmlab.launcher.find import find_sweep, newest_sweep

    name, words = front.target(words)
    folder = newest_sweep() if name == "latest" else find_sweep(name)
    if folder is not None:
        from lmlab.command.sweep_report import report_sweep

        return report_sweep(folder, words)
    from lmlab.launcher.find import find_run
    from lmlab.report.html import write_report

    run = find_run(name)
    if words:
        raise Mistake(f"{words[0]} belongs to the table of a sweep, and {run.id} is a run; lmlab report --help")
    sys.stdout.write(f"{write_report(run)}\n")
    return 0
