"""What was answered to the questions of a split: loss of the windows, exact match and F1 of the best answer of each question."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from lmlab.examples import Question, QuestionRows
from lmlab.metric.answers import of_each, scored
from lmlab.metric.gathered import gathered
from lmlab.metric.per_example import PerExample
from lmlab.metric.token_loss import UNIT


class Said(NamedTuple):
    """To a question, by all windows of its context."""

    first: int
    """Token of the context, -1 for no answer."""
    last: int
    margin: float
    """By how much the score of the best span is above that of no answer."""


class AnswerScores(Metric):
    """`loss` is in nats per window; the other figures are those of `lmlab.metric.answers.scored`.

    Args:
        questions: of the split, in its order; read when they are first needed.
        rows: the same as ids.
        threshold: see `best_of`.
    """

    full_state_update = False
    units: Mapping[str, float] = MappingProxyType({"exact": 1.0, "common": UNIT, "questions": 1.0})
    scores: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
        {"f1": ("mean", ("common", "questions")), "exact_match": ("accuracy", ("exact", "questions"))}
    )
    total: Tensor
    num_known: Tensor
    places: list[Tensor]
    tokens: list[Tensor]
    margins: list[Tensor]
    """Of each window the scores of its best span and of no answer."""

    def __init__(
        self, *, questions: Callable[[], Sequence[Question]], rows: QuestionRows, threshold: float | None
    ) -> None:
        super().__init__()
        self.questions, self.rows, self.threshold = questions, rows, threshold
        self.by_example: PerExample | None = None
        self.last: dict[int, str] = {}
        """Question -> its answer, empty for none, of the last evaluation."""
        self.add_state("total", torch.zeros((), dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("num_known", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        for name in ("places", "tokens", "margins"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(
        self,
        total: Float[Tensor, ""],
        num_known: Int[Tensor, ""],
        places: Int[Tensor, "window"],
        tokens: Int[Tensor, "window 2"],
        scores: Float[Tensor, "window 2"],
    ) -> None:
        """Add a batch: summed loss of windows with a target, and how many these are; of each window its question, first and
        last token of its best span in the context, the scores of this and of no answer."""
        self.total += total.detach()
        self.num_known += num_known
        self.places.append(places)
        self.tokens.append(tokens)
        self.margins.append(scores.detach())

    def compute(self) -> dict[str, float]:
        num_known = int(self.num_known)
        loss = float(self.total) / num_known if num_known else math.nan
        none = torch.zeros(0, 2)
        places = gathered(self.places, none[:, 0].long()).cpu().numpy()
        tokens = gathered(self.tokens, none.long()).cpu().numpy()
        scores = gathered(self.margins, none).cpu().numpy()
        said = best_of(places, tokens, scores, threshold=self.threshold)
        questions = self.questions()
        self.last = {place: self._text(questions[place], place, one) for place, one in said.items()}
        right = [[one.text for one in questions[place].answers] for place in self.last]
        if self.by_example is not None:
            each = [(is_right, round(f1 / UNIT), 1) for is_right, f1 in of_each([*self.last.values()], right)]
            counts = torch.tensor(each, dtype=torch.long).reshape(-1, len(self.units))
            self.by_example.add_known(torch.tensor([*self.last], dtype=torch.long), counts)
            self.by_example.conclude()
        return {"loss": loss, **scored([*self.last.values()], right)}

    def _text(self, question: Question, place: int, said: Said) -> str:
        if said.first < 0:
            return ""
        start, end = self.rows.characters(place, said.first, said.last)
        return question.context[start:end]


def best_of(
    places: Int[np.ndarray, "window"],
    tokens: Int[np.ndarray, "window 2"],
    scores: Float[np.ndarray, "window 2"],
    *,
    threshold: float | None,
) -> dict[int, Said]:
    """Question -> the best span of all its windows, the first of equal ones; no answer where its score is not above that of
    no answer, in the window where this is lowest, by more than the threshold (Devlin et al. 2019, 4.3). None: always a span.
    """
    found: dict[int, Said] = {}
    order = np.lexsort((tokens[:, 1], tokens[:, 0], -scores[:, 0], places))
    lowest: dict[int, float] = {}
    for place, no_answer in zip(places.tolist(), scores[:, 1].tolist()):
        lowest[place] = min(lowest.get(place, math.inf), no_answer)
    for place, (first, last), (score, _) in zip(places[order].tolist(), tokens[order].tolist(), scores[order].tolist()):
        if place in found:
            continue
        margin = score - lowest[place]
        is_span = score > LEAST and (threshold is None or margin > threshold)
        found[place] = Said(first, last, margin) if is_span else Said(-1, -1, margin)
    return found


LEAST = float(np.finfo(np.float32).min) / 2
"""A window without a place for an answer has a lower score."""
