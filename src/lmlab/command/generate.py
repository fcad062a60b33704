"""lmlab generate: continue a prompt with a trained run."""

import sys
from typing import Any

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab generate`."""
    flags, words = front.split(arguments, front.COMPOSING)
    name, overrides = front.target(words)
    if (done := front.answer(flags, overrides, verb="generate", config_name="generate")) is not None:
        return done
    options = configuration.compose(overrides, config_name="generate", verb="generate")
    values.check_types(options, OPTIONS)
    from lmlab.command.continuation import streamed
    from lmlab.command.kind.kind import kind_of
    from lmlab.command.kind.tokens import Tokens
    from lmlab.command.load import load_run
    from lmlab.decoding.sample import chooser

    loaded = load_run(name, options.checkpoint)
    if not isinstance(kind_of(loaded.config), Tokens):
        raise Mistake(
            f"{loaded.run.path} writes no text: it was not trained with task=language_modeling; "
            "lmlab predict gives labels, lmlab neighbors words"
        )
    choose = chooser(
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        repetition_penalty=options.repetition_penalty,
    )
    for number in range(options.num):
        pieces = streamed(
            loaded.task,
            loaded.tokenizer,
            options.prompt,
            choose,
            options.max_tokens,
            options.seed + number,
            loaded.context,
        )
        sys.stdout.write(options.prompt)
        for piece in pieces if options.stream else ["".join(pieces)]:
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
    return 0


OPTIONS: dict[str, Any] = {
    "prompt": str,
    "max_tokens": int,
    "num": int,
    "temperature": float,
    "top_k": int | None,
    "top_p": float | None,
    "repetition_penalty": float | None,
    "seed": int,
    "checkpoint": str,
    "stream": bool,
}
