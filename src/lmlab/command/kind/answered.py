"""Experiments on questions whose answers are written: a source is question and context, its target the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lmlab import config as configuration
from lmlab.command.kind.questions import NO_ANSWER, PREDICTIONS
from lmlab.command.kind.source_target import TOGETHER, SourceTarget
from lmlab.command.lines import asked
from lmlab.data.cache import cache_folder
from lmlab.examples import Question
from lmlab.examples import SourceTarget as Pair
from lmlab.metric.answers import scored
from lmlab.run import json_file
from lmlab.tokenizer.row_arrays import RowArrays, row_arrays
from lmlab.types import Mistake, Source, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.decoding.options import Options
    from lmlab.run.folder import RunFolder

BETWEEN = "\n"
"""A question and its context."""


class Answered(SourceTarget):
    """See Kind."""

    batched = Pair

    def arrays(self, experiment: Experiment) -> RowArrays:
        trainer = configuration.build(experiment.config, "tokenizer")
        return row_arrays(_Pairs(experiment.source), trainer, cache_folder(experiment.config.cache_dir))

    def pairs(self, experiment: Experiment, split: Any) -> list[Pair]:
        return list(_Pairs(experiment.source).read(split))

    def measured(self, experiment: Experiment) -> list[str]:
        right = [one.answers for one in experiment.source.read("val")]
        figures = scored(["" for _ in right], [[answer.text for answer in own] for own in right])
        return [f"val/{name}" for name in ("loss", "perplexity", *figures)]

    def spoken(self, text: str) -> str:
        return text or NO_ANSWER

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """As for any source; a prompt is a question, a tab and the context."""
        source = _source(prompt, "samples.prompt") if prompt else ""
        return super().draw(experiment, task, source, num, length, temperature)

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """The answer to the question `text` in `second`; or to each line of a file, a tab between."""
        sources = [BETWEEN.join(pair) for pair in asked(options)]
        for first in range(0, len(sources), TOGETHER):
            found = self.written(loaded.config, loaded.tokenizer, loaded.task, sources[first : first + TOGETHER])
            yield from (" ".join(text.split("\n")) or NO_ANSWER for text in found)

    def write(self, loaded: Loaded, prompt: str, options: Options, num: int) -> list[str]:
        """Of a question, a tab and the context."""
        found = super().write(loaded, _source(prompt, "prompt"), options, num)
        return [text or NO_ANSWER for text in found]

    def baselines_name(self, experiment: Experiment) -> str | None:
        return "answers"

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """The most frequent answer; and what answers without learning, as for spans."""
        from lmlab.analysis.question_baselines import question_baselines

        right = [[answer.text for answer in one.answers] for one in held_out]
        most = Counter(_pair(one).targets[0] for one in train).most_common(1)[0][0]
        found = {"most frequent answer": [most] * len(held_out), **question_baselines(train, held_out)}
        return {name: scored(answers, right) for name, answers in found.items()}

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """What was written, and beside it ids with answers, as SQuAD's own evaluation reads them."""
        super().keep(experiment, run, task)
        splits: tuple[Split, ...] = ("val", "test")
        for split in splits:
            if texts := getattr(task.metrics[split], "last", {}):
                questions = enumerate(experiment.source.read(split))
                said = {one.id: texts[place] for place, one in questions if place in texts}
                json_file.write(run.path / PREDICTIONS.format(split=split), said)


class _Pairs:
    """Questions as sources and targets."""

    example = Pair

    def __init__(self, source: Source) -> None:
        self.source = source

    def fingerprint(self) -> str:
        return f"questions with answers of {self.source.fingerprint()}"

    def read(self, split: Split) -> Iterator[Pair]:
        return (_pair(one) for one in self.source.read(split))


def _pair(one: Question) -> Pair:
    """The first answer is learned, and each counts as right; of none the empty one is."""
    answers = tuple(answer.text for answer in one.answers)
    return Pair(BETWEEN.join((one.question, one.context)), answers or ("",))


def _source(prompt: str, key: str) -> str:
    question, _, context = prompt.partition("\t")
    if not question.strip() or not context.strip():
        raise Mistake(f"{key}={prompt} is not a question with its context; write the question, a tab and the context")
    return BETWEEN.join((question, context))
