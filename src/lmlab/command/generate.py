"""lmlab generate: continue a prompt with a trained run, or reply to it."""

import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.types import Mistake

if TYPE_CHECKING:
    from lmlab.decoding.options import Options


def main(arguments: list[str]) -> int:
    """The command line of `lmlab generate`."""
    flags, words = front.split(arguments, front.COMPOSING)
    name, overrides = front.target(words)
    if (done := front.answer(flags, overrides, verb="generate", config_name="generate")) is not None:
        return done
    options = configuration.compose(overrides, config_name="generate", verb="generate")
    values.check_types(options, OPTIONS)
    from lmlab.command.continuation import best, streamed
    from lmlab.command.kind.kind import Continues, kind_of
    from lmlab.command.load import load_run
    from lmlab.decoding.one_row import lay_out_for_one_row

    decoding = decoding_of(options)
    loaded = load_run(name, options.checkpoint)
    kind = kind_of(loaded.config)
    if not isinstance(kind, Continues):
        raise Mistake(
            f"{loaded.run.path} writes no text: it was not trained with task=language_modeling or task=dialogue; "
            "lmlab predict gives labels and targets, lmlab neighbors words"
        )
    work = (loaded.task, loaded.tokenizer, kind.opening(loaded, options.prompt, decoding.max_tokens))
    before = options.prompt if kind.shows_prompt else ""
    if decoding.num_beams > 1:
        for text in best(*work, decoding, options.num, loaded.context):
            sys.stdout.write(f"{before}{text if kind.shows_prompt else text.strip()}\n")
        return 0
    lay_out_for_one_row(loaded.task)
    for number in range(options.num):
        pieces = streamed(*work, replace(decoding, seed=options.seed + number), loaded.context)
        sys.stdout.write(before)
        for piece in pieces if options.stream is not False else ["".join(pieces)]:
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
    return 0


def decoding_of(options: DictConfig) -> "Options":
    """What the keys of this command say of decoding."""
    from lmlab.decoding.options import Options

    if options.num_beams > 1 and options.stream:
        raise Mistake(
            f"stream=true shows tokens as they are drawn, and num_beams={options.num_beams} knows its text at the end; "
            "leave stream out, or set num_beams=1"
        )
    if 1 < options.num_beams < options.num:
        raise Mistake(
            f"num={options.num} texts are more than num_beams={options.num_beams} compares; change one of the two"
        )
    named = {field.name: options[field.name] for field in fields(Options)}
    if options.temperature is None:
        named["temperature"] = 0.8 if options.num_beams == 1 else 0.0
    return Options(**named)


OPTIONS: dict[str, Any] = {
    "prompt": str,
    "max_tokens": int,
    "num": int,
    "temperature": float | None,
    "top_k": int | None,
    "top_p": float | None,
    "min_p": float | None,
    "repetition_penalty": float | None,
    "no_repeat_ngram": int | None,
    "num_beams": int,
    "length_penalty": float | None,
    "seed": int,
    "checkpoint": str,
    "stream": bool | None,
}
