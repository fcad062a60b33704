"""How well hidden tokens of a split are found: loss, perplexity, accuracy; pseudo-perplexity where each was hidden in turn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.per_example import PerExample
from lmlab.metric.token_loss import UNIT


class MaskedScores(Metric):
    """Sums over batches and ranks, in whole numbers, so that their order does not matter.

    `loss` is in nats per hidden token. `pseudo_perplexity` is exp of the mean -log p of tokens hidden one at a time (Salazar
    et al. 2020, section 3); it is there only where that was measured.
    """

    full_state_update = False
    units: Mapping[str, float] = MappingProxyType({"nll": UNIT, "targets": 1.0, "correct": 1.0})
    scores: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
        {
            "loss": ("mean", ("nll", "targets")),
            "perplexity": ("perplexity", ("nll", "targets")),
            "accuracy": ("mean", ("correct", "targets")),
        }
    )
    sums: Tensor
    pseudo: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(4, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("pseudo", torch.zeros(4, dtype=torch.long), dist_reduce_fx="sum")
        self.by_example: PerExample | None = None

    def update(
        self, nll: Tensor, is_correct: Tensor, place: Tensor | None = None, *, one_at_a_time: bool = False
    ) -> None:
        """Add hidden tokens, each with its -log p in nats, whether it was likeliest, and where in the split it stands.

        `one_at_a_time`: each was hidden alone; these count for the pseudo-perplexity and for nothing else.
        """
        counts = _counts(nll, is_correct)
        if one_at_a_time:
            self.pseudo += counts.sum(dim=0)
            return
        self.sums += counts.sum(dim=0)
        if self.by_example is not None and place is not None:
            self.by_example.add(place, counts[:, :3])

    def compute(self) -> dict[str, float]:
        if self.by_example is not None:
            self.by_example.conclude()
        loss, accuracy = _means(self.sums)
        found = {"loss": loss, "perplexity": _exp(loss), "accuracy": accuracy}
        if int(self.pseudo[1].item()):
            loss, accuracy = _means(self.pseudo)
            found |= {"pseudo_perplexity": _exp(loss), "pseudo_accuracy": accuracy}
        return found


def _counts(nll: Tensor, is_correct: Tensor) -> Tensor:
    """[token, 4]: nats in UNITs, 1, whether it is right, whether its loss is not finite."""
    nll = nll.detach().float()
    is_finite = nll.isfinite()
    nats = torch.where(is_finite, nll / UNIT, 0.0).round().long()
    return torch.stack([nats, torch.ones_like(nats), is_correct.long(), (~is_finite).long()], dim=-1)


def _means(sums: Tensor) -> tuple[float, float]:
    nats, number, correct, not_finite = sums.tolist()
    if not number:
        return math.nan, math.nan
    return (math.nan if not_finite else nats * UNIT / number), correct / number


def _exp(value: float) -> float:
    """Infinite where a diverged loss has no perplexity that a number can hold."""
    return math.inf if value >= 700 else math.exp(value)
