"""Language modelling: minimise -log p(token | tokens before it), summed over the step's targets and divided by their number."""

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.task.carried import Carried
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, FurtherLosses, Output, SequenceModel, Text


class LanguageModeling(Task):
    """Wraps a causal model and a head over the vocabulary.

    Args:
        model, head, plan: see Task.
        metric: makes the metric of a split, updated by (losses, which are targets, their places in the split).
        label_smoothing: weight of the uniform distribution in the target (Szegedy et al. 2016, section 7); in training only.
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
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)
        self.label_smoothing, self.carried = label_smoothing, Carried()

    def forward(self, batch: Batch, state: Any = None) -> tuple[Tensor, Output]:
        """Logits [batch, time, vocab] and what the model returned."""
        output = self.model(batch.inputs, batch.document, None, state)
        return self.head(output.states), output

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits, output = self(batch, self.carried.before(self.micro, batch))
        self.carried.keep(self.micro, batch, output.state)
        further = further_losses(self.head, output, batch)
        return summed_loss(logits, batch.targets, self.label_smoothing), {**output.extras.losses, **further}

    def on_validation_epoch_start(self) -> None:
        self._eval_state = None

    def on_test_epoch_start(self) -> None:
        self._eval_state = None

    def evaluate(self, split: str, batch: Batch) -> None:
        state = None if batch.is_start or batch.rows is None else self._eval_state
        logits, output = self(batch, state)
        self._eval_state = output.state if batch.rows is not None else None
        self.metrics[split].update(losses(logits, batch.targets), batch.targets != IGNORE, batch.place)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["lmlab"]["carried"] = self.carried.state_dict()

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.carried.load(checkpoint["lmlab"]["carried"])


def further_losses(head: nn.Module, output: Output, batch: Batch) -> dict[str, Tensor]:
    """What a head learns beside its predictions, if anything."""
    if not isinstance(head, FurtherLosses):
        return {}
    return head.auxiliary(output.states, batch.targets, batch.document)


def summed_loss(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Sum of -log p over the targets that are not IGNORE, in float32: logits [batch, time, vocab], targets [batch, time]."""
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORE,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


def losses(logits: Tensor, targets: Tensor) -> Tensor:
    """-log p of each target, 0 where it is IGNORE, in float32: logits [batch, time, vocab], targets [batch, time]."""
    found = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORE, reduction="none")
    return found.view_as(targets)
