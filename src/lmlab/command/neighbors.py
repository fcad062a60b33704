"""lmlab neighbors RUN word=WORD, or analogy="king - man + woman": the words whose vectors are nearest."""

import sys
from collections.abc import Iterator
from typing import Any

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.types import Mistake

OPTIONS: dict[str, Any] = {"word": str, "analogy": str, "num": int, "method": str, "checkpoint": str}


def main(arguments: list[str]) -> int:
    """The command line of `lmlab neighbors`."""
    flags, words = front.split(arguments, front.COMPOSING)
    name, overrides = front.target(words)
    if (done := front.answer(flags, overrides, verb="neighbors", config_name="neighbors")) is not None:
        return done
    options = configuration.compose(overrides, config_name="neighbors", verb="neighbors")
    values.check_types(options, OPTIONS)
    if bool(options.word) == bool(options.analogy):
        raise Mistake('lmlab neighbors takes a word or an analogy: word=WORD, or analogy="king - man + woman"')
    if options.method not in ("add", "mul"):
        raise Mistake(f"method={options.method} is wrong: expected add or mul")
    for word, similarity in found(name, options):
        sys.stdout.write(f"{similarity:>8.4f}  {word}\n")
    return 0
