"""Denoising: minimise -log p(what fills the gaps | the text with gaps), by an encoder with its decoder (Raffel et al. 2020)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.task.language_modeling import further_losses, losses, summed_loss
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, Output, SequenceModel, Text


class Denoising(Task):
    """Wraps an encoder with its decoder, and a head over the vocabulary.

    Args:
        model, head, plan: see Task; the model is a Conditional.
        metric: makes the metric of a split, updated by (losses, whether each is right, places in the split) of tokens of the
            text alone: the sentinels between them are learned, and not measured.
        label_smoothing: weight of the uniform distribution in the target (Szegedy et al. 2016, section 7); in training only.
        special: ids that are no text.
    """

    example = Text
    causal = True

    def __init__(
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        label_smoothing: float,
        special: tuple[int, ...],
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)
        self.label_smoothing, self.special = label_smoothing, special

    def forward(self, batch: Batch) -> tuple[Tensor, Output]:
        """Logits [batch, time, vocab], and what the model returned."""
        model: Any = self.model
        output = model.of_pair(batch.source, batch.inputs, batch.source_document, batch.document)
        return self.head(output.states), output

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits, output = self(batch)
        further = further_losses(self.head, output, batch)
        return summed_loss(logits, batch.targets, self.label_smoothing), {**output.extras.losses, **further}

    def evaluate(self, split: str, batch: Batch) -> None:
        logits, _ = self(batch)
        assert batch.place is not None, "evaluation says where its targets stand"
        is_text = (batch.targets != IGNORE) & ~torch.isin(
            batch.targets, torch.tensor(self.special, device=batch.targets.device)
        )
        is_right = logits.argmax(dim=-1) == batch.targets
        nll = losses(logits, batch.targets)
        self.metrics[split].update(nll[is_text], is_right[is_text], batch.place[is_text])
