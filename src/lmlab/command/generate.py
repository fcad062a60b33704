"""lmlab generate: continue a prompt with a trained run, reply to it, or write a translation, a summary, what is said in it."""

import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.types import Mistake

if TYPE_CHECKING:
    from lmlab.command.kind.kind import Writes
    from lmlab.command.load import Loaded
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
    from lmlab.command.kind.kind import Continues, Writes, kind_of
    from lmlab.command.load import load_run
    from lmlab.decoding.one_row import lay_out_for_one_row

    decoding = decoding_of(options)
    loaded = load_run(name, options.checkpoint)
    kind = kind_of(loaded.config)
    if not isinstance(kind, Continues):
        if not isinstance(kind, Writes):
            raise Mistake(
                f"{loaded.run.path} writes no text: it was not trained with task=language_modeling, dialogue, translation or "
                "another that writes; lmlab predict gives labels, tags and spans, lmlab neighbors words"
            )
        for text in written(kind, loaded, options):
            sys.stdout.write(f"{text}\n")
        return 0
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


def written(kind: "Writes", loaded: "Loaded", options: DictConfig) -> list[str]:
    """What is written for a prompt that is not a beginning."""
    if not options.prompt:
        raise Mistake(f'{loaded.run.path} writes for a text or a recording; give it one: prompt="..."')
    if options.stream:
        raise Mistake(
            f"stream=true shows a continuation as it is drawn, and {loaded.run.path} writes for its prompt a text of its own; "
            "leave stream out"
        )
    return kind.write(loaded, options.prompt, decoding_of(options, kind.decoding(loaded)), options.num)


SINGLE = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
"""What chooses one token at a time, and so is not for beams."""


def decoding_of(options: DictConfig, own: "Options | None" = None) -> "Options":
    """What the keys of this command say of decoding.

    Args:
        own: what a run writes with where they say nothing; None: a continuation of at most 200 tokens is drawn.
    """
    from lmlab.decoding.options import Options

    names = [field.name for field in fields(Options)]
    typed = {name: options[name] for name in names if options[name] is not None}
    made: dict[str, Any] = (
        {"max_tokens": 200, "num_beams": 1} if own is None else {name: getattr(own, name) for name in names}
    )
    if "num_beams" not in typed and any(name in typed for name in SINGLE):
        made["num_beams"] = 1
    made |= typed
    if made["num_beams"] == 1 and "length_penalty" not in typed:
        made["length_penalty"] = None
    if made["num_beams"] > 1 and options.stream:
        raise Mistake(
            f"stream=true shows tokens as they are drawn, and num_beams={made['num_beams']} knows its text at the end; "
            "leave stream out, or set num_beams=1"
        )
    if 1 < made["num_beams"] < options.num:
        raise Mistake(
            f"num={options.num} texts are more than num_beams={made['num_beams']} compares; change one of the two"
        )
    if "temperature" not in typed:
        is_drawn = own is None or options.num > 1 or any(name in typed for name in ("top_k", "top_p", "min_p"))
        made["temperature"] = 0.8 if is_drawn and made["num_beams"] == 1 else 0.0
    return Options(**made)


OPTIONS: dict[str, Any] = {
    "prompt": str,
    "max_tokens": int | None,
    "num": int,
    "temperature": float | None,
    "top_k": int | None,
    "top_p": float | None,
    "min_p": float | None,
    "repetition_penalty": float | None,
    "no_repeat_ngram": int | None,
    "num_beams": int | None,
    "length_penalty": float | None,
    "seed": int,
    "checkpoint": str,
    "stream": bool | None,
}
