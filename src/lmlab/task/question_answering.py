"""Questions about a context: minimise -log p(start) - log p(end), the first place being "no answer" (Devlin et al. 2019, 4.3)."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.examples import Question
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, Mistake, SequenceModel

START, END = 1, 2
"""As lmlab.batch.questions has them."""

LEAST = torch.finfo(torch.float32).min
"""The logit of a place where no answer can begin or end."""


class Best(NamedTuple):
    """What a window says."""

    first: Int[Tensor, "batch"]
    """Where its best span begins, as a place of the input."""
    last: Int[Tensor, "batch"]
    """The place of its last token."""
    score: Float[Tensor, "batch"]
    """Logit of its beginning plus that of its end; LEAST where the window has no span."""
    no_answer: Float[Tensor, "batch"]
    """The sum of the two logits of the first place."""


class QuestionAnswering(Task):
    """Wraps an encoder and a head of two logits a place; see Task.

    Args:
        model, head, plan: see Task.
        metric: makes the metric of a split, updated by (summed loss, windows with a target, their questions, first and last
            token of the best span in the context, its score and that of no answer).
        max_answer: tokens of a span that is given as an answer, at most.
        threshold: by how much the score of a span must be above that of no answer; None: a span is always given.
    """

    example = Question
    causal = False

    def __init__(
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        max_answer: int,
        threshold: float | None,
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)
        if max_answer < 1:
            raise Mistake(f"task.max_answer={max_answer} leaves no answer; set it to 1 or more")
        self.max_answer, self.threshold = max_answer, threshold

    def forward(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Logits [batch, time, 2], LEAST where no answer can begin or end, and auxiliary losses of the model."""
        output = self.model(batch.inputs, batch.document)
        return possible(self.head(output.states), batch.targets), output.extras.losses

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits, auxiliary = self(batch)
        return loss(logits, batch.targets), auxiliary

    def evaluate(self, split: str, batch: Batch) -> None:
        logits, _ = self(batch)
        assert batch.place is not None, "evaluation says where windows stand"
        is_window = (batch.targets != IGNORE).any(dim=-1)
        num_known = (batch.targets > 0).any(dim=-1).sum()
        tokens, scores = said(logits, batch.place, self.max_answer)
        found = loss(logits, batch.targets)
        self.metrics[split].update(found, num_known, batch.place[is_window, 0], tokens[is_window], scores[is_window])


def possible(
    logits: Float[Tensor, "batch time 2"], targets: Int[Tensor, "batch time"]
) -> Float[Tensor, "batch time 2"]:
    """The logits, LEAST where no answer can begin or end."""
    return logits.masked_fill((targets == IGNORE)[..., None], LEAST)


def loss(logits: Float[Tensor, "batch time 2"], targets: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
    """-log p(start) - log p(end), summed over the windows that have a target."""
    ends = torch.stack([targets & START, targets & END], dim=-1) > 0
    is_target: Bool[Tensor, "batch time 2"] = ends & (targets > 0)[..., None]
    return -logits.log_softmax(dim=1).masked_fill(~is_target, 0.0).sum()


def best(logits: Float[Tensor, "batch time 2"], max_answer: int) -> Best:
    """The span of at most `max_answer` tokens of the highest score in each window, the first of equal ones."""
    starts, ends = logits[:, 1:, 0], logits[:, 1:, 1]
    if not starts.shape[1]:  # a row without a context
        starts = ends = logits.new_full((len(logits), 1), LEAST)
    later = F.pad(ends, (0, max_answer - 1), value=LEAST).unfold(1, max_answer, 1)  # [batch, start, length - 1]
    sums = (starts[..., None] / 2 + later / 2).flatten(1)  # halves, since twice the least number is infinite
    score, number = sums.max(dim=1)
    first = number // max_answer
    is_none = score <= LEAST / 2
    doubled = (score * 2).masked_fill(is_none, LEAST)
    return Best(first + 1, first + number % max_answer + 1, doubled, logits[:, 0].sum(dim=-1).clamp(min=LEAST))


def said(
    logits: Float[Tensor, "batch time 2"], place: Int[Tensor, "batch 2"], max_answer: int
) -> tuple[Int[Tensor, "batch 2"], Float[Tensor, "batch 2"]]:
    """First and last token in the context of the best span of each window; its score and that of no answer."""
    found = best(logits, max_answer)
    tokens = torch.stack([found.first, found.last], dim=1) + place[:, 1:]
    return tokens, torch.stack([found.score, found.no_answer], dim=1)
