"""How well replaced tokens of a split are told from original ones, and how well the generator finds what was hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.per_example import PerExample
from lmlab.metric.token_loss import UNIT


class ReplacedScores(Metric):
    """Sums over batches and ranks, in whole numbers, so that their order does not matter.

    `loss` is that of both models as it is trained, in nats. `detection_loss` and `accuracy` are per place,
    `accuracy_of_all_original` is the accuracy of who says that nothing was replaced; `precision`, `recall` and `f1` are of the
    replaced ones. `generator_loss` and `generator_accuracy` are per hidden token.

    Args:
        weight: of the loss of detection.
    """

    full_state_update = False
    units: Mapping[str, float] = MappingProxyType(
        {
            "nll": UNIT, "hidden": 1.0, "found": 1.0, "detection": UNIT, "places": 1.0, "right": 1.0,
            "told": 1.0, "false": 1.0, "missed": 1.0,
        }
    )  # fmt: skip
    scores: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
        {
            "detection_loss": ("mean", ("detection", "places")),
            "accuracy": ("accuracy", ("right", "places")),
            "f1": ("f1", ("told", "false", "missed")),
            "generator_loss": ("mean", ("nll", "hidden")),
            "generator_accuracy": ("accuracy", ("found", "hidden")),
        }
    )
    figures = (
        "loss", "detection_loss", "accuracy", "accuracy_of_all_original", "precision", "recall", "f1", "generator_loss",
        "generator_accuracy",
    )  # fmt: skip
    sums: Tensor
    not_finite: Tensor

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.add_state("sums", torch.zeros(len(self.units), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("not_finite", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.by_example: PerExample | None = None

    def update(  # more than 8 arguments: each is another thing that is known of a place
        self,
        *,
        nll: Float[Tensor, "batch time"],
        is_hidden: Bool[Tensor, "batch time"],
        is_found: Bool[Tensor, "batch time"],
        detection: Float[Tensor, "batch time"],
        is_replaced: Bool[Tensor, "batch time"],
        is_said: Bool[Tensor, "batch time"],
        is_real: Bool[Tensor, "batch time"],
        place: Int[Tensor, "batch time"],
    ) -> None:
        """Add a batch: the generator's -log p, 0 where nothing is hidden; that of detection; where there is no padding."""
        told = [is_said == is_replaced, is_said & is_replaced, is_said & ~is_replaced, ~is_said & is_replaced]
        columns = [_whole(nll), is_hidden, is_found, _whole(detection), torch.ones_like(is_real), *told]
        counts = torch.stack([column.long() for column in columns], dim=-1) * is_real[..., None]
        self.sums += counts.sum(dim=(0, 1))
        self.not_finite += (is_real & ~(nll + detection).isfinite()).sum()
        if self.by_example is not None:
            self.by_example.add(place, counts)

    def compute(self) -> dict[str, float]:
        if self.by_example is not None:
            self.by_example.conclude()
        count = dict(zip(self.units, self.sums.tolist(), strict=True))
        is_finite = not int(self.not_finite)
        generator = _per(count["nll"] * UNIT, count["hidden"]) if is_finite else math.nan
        detection = _per(count["detection"] * UNIT, count["places"]) if is_finite else math.nan
        said, replaced = count["told"] + count["false"], count["told"] + count["missed"]
        found = (
            generator + self.weight * detection,
            detection,
            _per(count["right"], count["places"]),
            _per(count["places"] - replaced, count["places"]),
            count["told"] / max(said, 1),
            count["told"] / max(replaced, 1),
            2 * count["told"] / max(said + replaced, 1),
            generator,
            _per(count["found"], count["hidden"]),
        )
        return dict(zip(self.figures, found, strict=True))


def _whole(nats: Tensor) -> Tensor:
    """In UNITs; 0 for what is not finite."""
    nats = nats.detach().float()
    return torch.where(nats.isfinite(), nats / UNIT, 0.0).round().long()


def _per(total: float | int, count: int) -> float:
    return total / count if count else math.nan
