"""lmlab predict RUN text="...": what a trained model says of a text or a recording: labels, tags, fillings, a translation."""

import sys
from collections.abc import Iterator
from typing import Any

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.types import Mistake

OPTIONS: dict[str, Any] = {"text": str, "second": str, "path": str | None, "num": int, "checkpoint": str}


def main(arguments: list[str]) -> int:
    """The command line of `lmlab predict`."""
    flags, words = front.split(arguments, front.COMPOSING)
    name, overrides = front.target(words)
    if (done := front.answer(flags, overrides, verb="predict", config_name="predict")) is not None:
        return done
    options = configuration.compose(overrides, config_name="predict", verb="predict")
    values.check_types(options, OPTIONS)
    if bool(options.text) == bool(options.path):
        raise Mistake('lmlab predict takes a text or a file of them, one a line: text="...", or path=FILE')
    for line in predicted(name, options):
        sys.stdout.write(f"{line}\n")
    return 0


def predicted(name: str, options: Any) -> Iterator[str]:
    """What the kind of the run says of the text, or of each line of the file."""
    from lmlab.command.kind.kind import Answers, kind_of
    from lmlab.command.load import load_run

    loaded = load_run(name, options.checkpoint)
    kind = kind_of(loaded.config)
    if not isinstance(kind, Answers):
        raise Mistake(
            f"{loaded.run.path} gives no labels: it was not trained with task=classification, nor with another that does"
        )
    yield from kind.answer(loaded, options)
