"""lmlab neighbors RUN word=WORD, or analogy="king - man + woman": the words whose vectors are nearest."""

import sys
from collections.abc import Iterator
from typing import Any

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.types import Mistake

OPTIONS: dict[str, Any] = {"word": str, "analogy": str, "num": int, "checkpoint": str}


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
    for word, similarity in found(name, options):
        sys.stdout.write(f"{similarity:>8.4f}  {word}\n")
    return 0


def found(name: str, options: Any) -> Iterator[tuple[str, float]]:
    """The words nearest to what was asked, with their cosines; those of the question are left out."""
    from lmlab.analysis.neighbors import combined, nearest, signed_words
    from lmlab.command.load import load_run
    from lmlab.command.word_vectors import Lookup

    lookup = Lookup.of(load_run(name, options.checkpoint))
    key = "word" if options.word else "analogy"
    asked = ((options.word, 1),) if options.word else signed_words(options.analogy)
    query = combined([(lookup.vector(word, key), sign) for word, sign in asked])
    known = [lookup.ids[word] for word, _ in asked if word in lookup.ids]
    for index, cosine in nearest(lookup.vectors, query, num=options.num, exclude=known):
        yield lookup.words[index], cosine
