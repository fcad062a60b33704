"""lmlab predict RUN text="...": the labels of a text, or of each line of a file; path=FILE.wav: what is said in a recording."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.types import Mistake

OPTIONS: dict[str, Any] = {"text": str, "second": str, "path": str | None, "num": int, "checkpoint": str}

TOGETHER = 64
"""Lines of a file that go through the model at a time."""


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
    """Of what the run was trained for, a line each."""
    from lmlab.command.load import load_run
    from lmlab.command.transcripts import transcribed
    from lmlab.task.speech_recognition import SpeechRecognition

    loaded = load_run(name, options.checkpoint)
    is_speech = issubclass(configuration.class_of(loaded.config, "task"), SpeechRecognition)
    return transcribed(loaded, options) if is_speech else labelled(loaded, options)


def labelled(loaded: Any, options: Any) -> Iterator[str]:
    """A line for each label of the text; or for each line of the file its labels and the line itself."""
    from lmlab.command.labels import best, probabilities
    from lmlab.task.classification import Classification

    if not issubclass(configuration.class_of(loaded.config, "task"), Classification):
        raise Mistake(f"{loaded.run.path} gives no labels: it was not trained with task=classification")
    labels, is_multi = loaded.vocabulary.labels, bool(loaded.config.task.multi_label)
    batching = configuration.build(loaded.config, "batch")(
        seed=0, eos=loaded.tokenizer.eos, num_classes=len(labels), several=is_multi
    )
    texts = _lines(Path(options.path)) if options.path else [[one for one in (options.text, options.second) if one]]
    for first in range(0, len(texts), TOGETHER):
        part = texts[first : first + TOGETHER]
        batch = batching.of_texts([[loaded.tokenizer.encode(text) for text in row] for row in part])
        for row, shares in zip(part, probabilities(loaded.task, batch, multi_label=is_multi)):
            found = [f"{label}  {share:.4f}" for label, share in best(shares, labels, num=options.num)]
            yield "\t".join([*found, *row]) if options.path else "\n".join(found)


def _lines(path: Path) -> list[list[str]]:
    """The texts of each line that is not empty; the two of a pair stand with a tab between them."""
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(
            f"path={path} cannot be read as UTF-8 text ({error}); set path to a file with a text a line"
        ) from None
    return [line.strip("\r").split("\t") for line in lines if line.strip()]
