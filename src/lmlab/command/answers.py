"""What a trained model answers to questions about texts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from lmlab.examples import Question
from lmlab.metric.answer_scores import best_of
from lmlab.task.question_answering import possible, said
from lmlab.tokenizer.question_arrays import question_rows
from lmlab.tokenizer.trained import Trained


class Found(NamedTuple):
    """An answer."""

    text: str
    """As it stands in the context; empty where the context does not say."""
    start: int
    """In characters; -1 where there is none."""
    margin: float
    """By how much its score, or that of the best span that is not given, is above that of no answer."""


@torch.no_grad()
def best_answers(
    task: Any,
    batching: Any,
    tokenizer: Trained,
    questions: Sequence[Question],
    *,
    max_answer: int,
    threshold: float | None,
) -> list[Found]:
    """The answer to each question.

    Args:
        task: model and head under these names.
        batching: what it was trained with: a long context is read in windows.
    """
    was_training = task.training
    task.eval()
    rows = question_rows(tokenizer, questions)
    places, tokens, scores = [], [], []
    for batch in batching.eval(rows):
        states = task.model(batch.inputs.to(task.device), batch.document.to(task.device)).states
        logits = possible(task.head(states), batch.targets.to(task.device)).cpu()
        of_windows = said(logits, batch.place, max_answer)
        places.append(batch.place[:, 0])
        tokens.append(of_windows[0])
        scores.append(of_windows[1])
    task.train(was_training)
    found = best_of(
        torch.cat(places).numpy(), torch.cat(tokens).numpy(), torch.cat(scores).numpy(), threshold=threshold
    )
    return [_found(rows, number, question, found[number]) for number, question in enumerate(questions)]


def _found(rows: Any, number: int, question: Question, one: Any) -> Found:
    if one.first < 0:
        return Found("", -1, one.margin)
    start, end = rows.characters(number, one.first, one.last)
    return Found(question.context[start:end], start, one.margin)
