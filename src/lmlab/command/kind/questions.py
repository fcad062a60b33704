"""Experiments on questions about texts that hold the answer, or do not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import DictConfig
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.command.answers import Found, best_answers
from lmlab.command.kind.rows import SHOWN, Rows
from lmlab.command.lines import asked
from lmlab.data.cache import cache_folder
from lmlab.examples import Question
from lmlab.metric.answer_scores import AnswerScores
from lmlab.metric.answers import scored
from lmlab.run import json_file
from lmlab.task.question_answering import QuestionAnswering, loss
from lmlab.tokenizer.question_arrays import QuestionArrays, question_arrays
from lmlab.types import Mistake, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

ANSWERS = "answers_{split}.jsonl"
"""In the run's folder: each question of a split with what is right and what was said."""

PREDICTIONS = "predictions_{split}.json"
"""Beside it: ids with answers, as SQuAD's own evaluation reads them."""

NO_ANSWER = "(no answer)"
"""What is shown for it."""

TOGETHER = 64
"""Lines of a file that are answered at a time."""


class Questions(Rows):
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "num_ends", "batch": "eos"})

    def arrays(self, experiment: Experiment) -> QuestionArrays:  # type: ignore[override]
        trainer = configuration.build(experiment.config, "tokenizer")
        return question_arrays(experiment.source, trainer, cache_folder(experiment.config.cache_dir))

    def vocabulary(self, experiment: Experiment) -> int:
        return int(experiment.arrays.tokenizer.vocab_size)

    def known(self, run: RunFolder, tokenizer: Trained) -> int:
        return tokenizer.vocab_size

    def batching(self, experiment: Experiment) -> Any:
        make = configuration.build(experiment.config, "batch")
        return make(seed=experiment.config.seed, eos=experiment.arrays.tokenizer.eos)

    def model(self, config: DictConfig, vocabulary: int) -> tuple[Any, Any]:
        model = configuration.build(config, "model")(vocab_size=vocabulary, causal=QuestionAnswering.causal)
        return model, configuration.build(config, "head")(dim=model.dim, num_ends=2)

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        threshold = experiment.config.task.threshold
        return lambda split: AnswerScores(
            questions=_Held(experiment, split), rows=getattr(experiment.arrays, split), threshold=threshold
        )

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        rows = experiment.arrays.train
        if rows.is_answerable.any() and not len(rows.answers):
            raise Mistake(
                "no answer of the training split stands in its context as the tokenizer reads it; set data.on_error=repair "
                "or tokenizer=bpe"
            )

    def measured(self, experiment: Experiment) -> list[str]:
        is_answerable = experiment.arrays.val.is_answerable.tolist()
        figures = scored(["" for _ in is_answerable], [["a"] if one else [] for one in is_answerable])
        return [f"val/{name}" for name in ("loss", *figures)]

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import announce

        made: Any = experiment.batching
        rows, windows = experiment.arrays.train, made.items(experiment.arrays.train)
        log.info(
            "%s questions, %s of them without an answer, %s contexts, %s windows",
            f"{len(rows):,}",
            f"{int((~rows.is_answerable).sum()):,}",
            f"{len(rows.context_ends):,}",
            f"{len(windows):,}",
        )
        for number, what in _left_out(rows, windows, made):
            if number:
                log.info("%s %s", f"{number:,}", what)
        announce(experiment)

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Held-out questions with what is said and, where that is wrong, what is right; or the prompt's."""
        if prompt:
            question, _, context = prompt.partition("\t")
            examples = [Question("", question, context, ())]
            if not context.strip():
                raise Mistake(f"samples.prompt={prompt} has no context; write the question, a tab and the context")
        else:
            examples = _shown(experiment, num)
        if not examples:
            return []
        options = {name: experiment.config.task[name] for name in ("max_answer", "threshold")}
        found = best_answers(task, experiment.batching, experiment.arrays.tokenizer, examples, **options)
        return [_line(one, said, is_known=not prompt) for one, said in zip(examples, found)]

    def longest_loss(
        self, experiment: Experiment, parts: list[Any], *, rows: int
    ) -> tuple[Callable[[], torch.Tensor], int]:
        model, head = parts
        made: Any = experiment.batching
        longest = int(made.items(experiment.arrays.train).length.max())
        ids = torch.zeros(rows, longest, dtype=torch.long, device="meta")
        return lambda: loss(head(model(ids).states), ids), longest

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """No answer; the sentence most like the question; what follows the question's words."""
        from lmlab.analysis.question_baselines import question_baselines

        right = [[answer.text for answer in one.answers] for one in held_out]
        return {name: scored(answers, right) for name, answers in question_baselines(train, held_out).items()}

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """What was said to each held-out question."""
        for split in ("val", "test"):
            said = getattr(task.metrics[split], "last", {})
            if not said:
                continue
            questions = task.metrics[split].questions()
            lines = [_kept(questions[place], said[place]) for place in sorted(said)]
            content = "".join(f"{json_file.dumps(line)}\n" for line in lines)
            json_file.write_text(run.path / ANSWERS.format(split=split), content)
            json_file.write(
                run.path / PREDICTIONS.format(split=split), {questions[place].id: said[place] for place in sorted(said)}
            )

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """The answer to the question `text` in `second`, and where it stands; or to each line of a file, a tab between."""
        pairs = asked(options)
        batching = configuration.build(loaded.config, "batch")(seed=0, eos=loaded.tokenizer.eos)
        how = {name: loaded.config.task[name] for name in ("max_answer", "threshold")}
        for first in range(0, len(pairs), TOGETHER):
            examples = [Question("", question, context, ()) for question, context in pairs[first : first + TOGETHER]]
            for one in best_answers(loaded.task, batching, loaded.tokenizer, examples, **how):
                place = "" if one.start < 0 else f"\t{one.start}-{one.start + len(one.text)}"
                yield f"{one.text or NO_ANSWER}{place}"


class _Held:
    """The questions of a split, read when they are first needed."""

    def __init__(self, experiment: Experiment, split: Any) -> None:
        self.experiment, self.split = experiment, split
        self.found: list[Question] | None = None

    def __call__(self) -> Sequence[Question]:
        if self.found is None:
            self.found = list(self.experiment.source.read(self.split))
        return self.found


def _left_out(rows: Any, windows: Any, batching: Any) -> Iterator[tuple[int, str]]:
    """What a model does not see as it stands, each with how many there are."""
    yield (
        int((rows.question_lengths() > batching.question_len).sum()),
        (f"of the questions are longer than batch.question_len={batching.question_len}: their ends are left out"),
    )
    yield (
        int((~rows.is_known()).sum()),
        ("of the questions have an answer that stands nowhere in the context: they are not trained on"),
    )
    has_answer = np.diff(rows.answer_ends, prepend=0) > 0
    held = np.zeros(len(rows), bool)
    for number in np.flatnonzero(has_answer[windows.row]):
        answers = rows.answers_of(int(windows.row[number]))
        inside = (answers[:, 0] >= windows.first[number]) & (answers[:, 1] < windows.end[number])
        held[windows.row[number]] |= bool(inside.any())
    yield (
        int((has_answer & ~held).sum()),
        (
            "of the answers are in no window as a whole, and count as none; a larger batch.seq_len or a smaller batch.stride "
            "would help"
        ),
    )


def _shown(experiment: Experiment, num: int) -> list[Any]:
    """From the whole of the held-out split."""
    split: Split = "test" if len(experiment.arrays.test) else "val"
    number = len(getattr(experiment.arrays, split))
    chosen = {int(place) for place in np.linspace(0, number - 1, num=min(num, number), dtype=np.int64)}
    return [one for place, one in enumerate(experiment.source.read(split)) if place in chosen]


def _line(question: Question, said: Found, *, is_known: bool) -> str:
    text = f"{_short(question.context)}\n{_short(question.question)}\n-> {_short(said.text) or NO_ANSWER}"
    right = [answer.text for answer in question.answers] or [""]
    if not is_known or scored([said.text], [[one for one in right if one]])["exact_match"]:
        return text
    return f"{text}\n   {' | '.join(_short(one) or NO_ANSWER for one in dict.fromkeys(right))}"


def _kept(question: Question, said: str) -> dict[str, Any]:
    right = [answer.text for answer in question.answers]
    scores = scored([said], [right])
    return {"id": question.id, "question": question.question, "answers": right, "answer": said, **scores}


def _short(text: str) -> str:
    return " ".join(text.split())[:SHOWN]
