"""Scores of a classifier over a split: loss, accuracy, macro F1, Matthews correlation, calibration error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_matthews_corrcoef,
    multilabel_confusion_matrix,
    multilabel_f1_score,
)

from lmlab.metric.confusion import MOST_CLASSES
from lmlab.metric.gathered import gathered
from lmlab.metric.per_example import PerExample
from lmlab.metric.token_loss import UNIT


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
        self.units: Mapping[str, float] = {"nll": UNIT, "examples": 1.0, "right": 1.0, "labels": 1.0, "exact": 1.0}
        self.scores: Mapping[str, tuple[str, tuple[str, ...]]] = {
            "accuracy": ("accuracy", ("right", "labels")),
            **({"exact_match": ("accuracy", ("exact", "examples"))} if multi_label else {}),
            "loss": ("mean", ("nll", "examples")),
        }
        self.by_example: PerExample | None = None
        self.last_confusion: np.ndarray | None = None
        """See Confused."""
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, targets: Tensor, places: Tensor | None = None) -> None:
        """Add a batch: logits [batch, classes]; classes [batch], or 0 and 1 [batch, classes]; places in the split [batch]."""
        self.logits.append(logits.detach().float())
        self.targets.append(targets)
        if self.by_example is not None and places is not None:
            self.by_example.add(places, self._counts(logits.detach().float(), targets))

    def _counts(self, logits: Tensor, targets: Tensor) -> Tensor:
        """[batch, unit]"""
        if self.multi_label:
            nll = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=-1)
            is_right = (logits > 0) == (targets > 0.5)
        else:
            nll = F.cross_entropy(logits, targets, reduction="none")
            is_right = (logits.argmax(dim=-1) == targets)[:, None]
        ones = torch.ones_like(nll)
        columns = [nll / UNIT, ones, is_right.sum(dim=-1), ones * is_right.shape[-1], is_right.all(dim=-1)]
        return torch.stack([column.double().round().long() for column in columns], dim=-1)

    def compute(self) -> dict[str, float]:
        if self.by_example is not None:
            self.by_example.conclude()
        width = (self.num_classes,) if self.multi_label else ()
        logits = gathered(self.logits, torch.zeros(0, self.num_classes))
        targets = gathered(self.targets, torch.zeros(0, *width, dtype=torch.long)).to(logits.device)
        self.last_confusion = self._confusion(logits, targets)
        found = self._of_several(logits, targets) if self.multi_label else self._of_one(logits, targets)
        return {name: float(value) for name, value in found.items()}

    def _confusion(self, logits: Tensor, targets: Tensor) -> np.ndarray | None:
        number = self.num_classes
        if not len(targets) or number > MOST_CLASSES:
            return None
        if self.multi_label:
            found = multilabel_confusion_matrix(logits.sigmoid(), (targets > 0.5).long(), num_labels=number)
        else:
            found = multiclass_confusion_matrix(logits.argmax(dim=-1), targets, num_classes=number)
        return np.asarray(found.cpu().numpy())

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
