"""Writing a target for a source: minimise -log p(target | source); what is written is held against references."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.examples import SourceTarget
from lmlab.predictions import asked, predicted
from lmlab.task.language_modeling import further_losses, losses, summed_loss
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, Output, SequenceModel


class SequenceToSequence(Task):
    """Wraps an encoder with its decoder, or a decoder that reads the source as the beginning of its text.

    Args:
        model, head, plan: see Task.
        metric: makes the metric of a split, updated by (losses of the targets, what was written, places in the split).
        write: what model and head write for each source of a batch: ids without `<eos>`.
        label_smoothing: weight of the uniform distribution in the target (Szegedy et al. 2016, section 7); in training only.
    """

    example: type = SourceTarget
    causal = True

    def __init__(
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        write: Callable[[Any, Batch], list[list[int]]],
        label_smoothing: float,
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)
        self.label_smoothing, self.write = label_smoothing, write

    def forward(self, batch: Batch) -> tuple[Tensor, Output]:
        """Logits [batch, time, vocab] and what the model returned."""
        if batch.source is None:
            output = self.model(batch.inputs, batch.document, **asked(self.head))
        else:
            model: Any = self.model
            documents = (batch.source_document, batch.document)
            output = model.of_pair(batch.source, batch.inputs, *documents, **asked(self.head))
        return predicted(self.head, output, batch.source), output

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits, output = self(batch)
        further = further_losses(self.head, output, batch)
        return summed_loss(logits, batch.targets, self.label_smoothing), {**output.extras.losses, **further}

    def evaluate(self, split: str, batch: Batch) -> None:
        logits, _ = self(batch)
        is_target = batch.targets != IGNORE
        found = losses(logits, batch.targets)[is_target]
        is_example = bool(is_target.any())  # a rank that has none left still goes along
        places = batch.place if batch.place is not None else batch.targets.new_empty(0)
        self.metrics[split].update(found, self.write(self, batch) if is_example else [], places, is_target.sum(dim=-1))
