"""Scores of a classifier over a split: loss, accuracy, macro F1, Matthews correlation, calibration error."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_f1_score,
    multiclass_matthews_corrcoef,
    multilabel_f1_score,
)

from lmlab.metric.gathered import gathered


class LabelScores(Metric):
    """Of one label per example, or of any number of labels.

    `loss` is in nats per example. Of several labels `accuracy` is the share of labels that are right, `exact_match` the
    share of examples whose labels all are. `calibration_error` is the expected one over 15 bins (Guo et al. 2017,
    equation 3). A class that is neither there nor predicted does not count in `macro_f1`.
    """

    full_state_update = False
    logits: list[Tensor]
    targets: list[Tensor]

    def __init__(self, *, num_classes: int, multi_label: bool) -> None:
        super().__init__()
        self.num_classes, self.multi_label = num_classes, multi_label
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Add a batch: logits [batch, classes]; classes [batch], or 0 and 1 [batch, classes]."""
        self.logits.append(logits.detach().float())
        self.targets.append(targets)

    def compute(self) -> dict[str, float]:
        width = (self.num_classes,) if self.multi_label else ()
        logits = gathered(self.logits, torch.zeros(0, self.num_classes))
        targets = gathered(self.targets, torch.zeros(0, *width, dtype=torch.long)).to(logits.device)
        found = self._of_several(logits, targets) if self.multi_label else self._of_one(logits, targets)
        return {name: float(value) for name, value in found.items()}

    def _of_one(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        number = self.num_classes
        return {
            "loss": F.cross_entropy(logits, targets),
            "accuracy": (logits.argmax(dim=-1) == targets).float().mean(),
            "macro_f1": multiclass_f1_score(logits, targets, num_classes=number, average="macro"),
            "matthews": self._matthews(logits.argmax(dim=-1), targets),
            "calibration_error": multiclass_calibration_error(
                logits.softmax(dim=-1), targets, num_classes=number, n_bins=15, norm="l1"
            ),
        }

    def _matthews(self, found: Tensor, targets: Tensor) -> Tensor:
        """0 where it is not defined, as scikit-learn has it: of one class alone there is nothing to correlate."""
        if any(bool((labels == labels[:1]).all()) for labels in (found, targets)):
            return torch.zeros(())
        return multiclass_matthews_corrcoef(found, targets, num_classes=self.num_classes)

    def _of_several(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        is_right = (logits > 0) == (targets > 0.5)
        return {
            "loss": F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=-1).mean(),
            "accuracy": is_right.float().mean(),
            "exact_match": is_right.all(dim=-1).float().mean(),
            "macro_f1": multilabel_f1_score(
                logits.sigmoid(), (targets > 0.5).long(), num_labels=self.num_classes, average="macro"
            ),
        }
