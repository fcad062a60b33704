"""Classification: minimise -log p(label | text), or of labels of which several may hold the sum of their binary losses."""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.examples import Labelled
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, SequenceModel


class Classification(Task):
    """Wraps an encoder and a head over the classes.

    Args:
        model, head, plan: see Task; the head makes logits [batch, classes] of states and of where there is no padding.
        metric: makes the metric of a split, updated by (logits, targets, places in the split).
        label_smoothing: weight of the uniform distribution in the target (Szegedy et al. 2016, section 7); in training only.
        multi_label: whether any number of labels may hold of an example.
    """

    example = Labelled
    causal = False

    def __init__(
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        label_smoothing: float,
        multi_label: bool,
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)
        self.label_smoothing, self.multi_label = label_smoothing, multi_label

    def forward(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Logits [batch, classes] in float32, and auxiliary losses of the model."""
        assert batch.document is not None, "rows are padded"
        output = self.model(batch.inputs, batch.document)
        return self.head(output.states, batch.document > 0).float(), output.extras.losses

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits, auxiliary = self(batch)
        return self.loss(logits, batch.targets), auxiliary

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Summed over the examples that have a target."""
        if not self.multi_label:
            return F.cross_entropy(
                logits, targets, ignore_index=IGNORE, reduction="sum", label_smoothing=self.label_smoothing
            )
        is_known = targets != IGNORE
        smoothed = targets.clamp(min=0) * (1 - self.label_smoothing) + self.label_smoothing / 2
        found = F.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        return found.masked_fill(~is_known, 0.0).sum()

    def evaluate(self, split: str, batch: Batch) -> None:
        logits, _ = self(batch)
        is_known = batch.targets != IGNORE
        is_known = is_known.all(dim=-1) if self.multi_label else is_known
        places = None if batch.place is None else batch.place[is_known]
        self.metrics[split].update(logits[is_known], batch.targets[is_known], places)
