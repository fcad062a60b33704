"""Cross-entropy of a split in every unit that is published: nats per token, perplexity, bits per byte, per word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.per_example import PerExample

UNIT = 2.0**-20
"""Nats per count: integers add up to the same in any order and on any number of ranks, and MPS has no double."""


class TokenLoss(Metric):
    """Sums over batches and ranks; bytes and words are the split's own, so that tokenizers compare."""

    full_state_update = False
    units: Mapping[str, float] = MappingProxyType({"nll": UNIT, "targets": 1.0})
    scores: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
        {
            "loss": ("mean", ("nll", "targets")),
            "perplexity": ("perplexity", ("nll", "targets")),
            "bits_per_byte": ("bits", ("nll", "bytes")),
            "word_perplexity": ("perplexity", ("nll", "words")),
        }
    )
    nll: Tensor
    tokens: Tensor
    not_finite: Tensor

    def __init__(self, *, num_tokens: int, num_bytes: int, num_words: int) -> None:
        super().__init__()
        # Per token, so that a part of the split (trainer.limit_val_batches) has the units of the whole.
        self.bytes_per_token = num_bytes / max(num_tokens, 1)
        self.words_per_token = num_words / max(num_tokens, 1)
        for name in ("nll", "tokens", "not_finite"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.by_example: PerExample | None = None

    def update(self, nll: Tensor, num_tokens: int | Tensor, place: Tensor | None = None) -> None:
        """Add a batch: its negative log-likelihoods in nats, one by one or summed, and over how many tokens each.

        `place`: where in the split each token stands, for sums by example.
        """
        nll = nll.detach().float()
        is_finite = nll.isfinite()
        counts = torch.where(is_finite, nll / UNIT, 0.0).round().long()
        tokens = torch.as_tensor(num_tokens).to(self.tokens)
        self.nll += counts.sum()
        self.not_finite += (~is_finite).sum()
        self.tokens += tokens.sum()
        if self.by_example is not None and place is not None:
            self.by_example.add(place, torch.stack([counts, tokens], dim=-1))

    def compute(self) -> dict[str, float]:
        if self.by_example is not None:
            self.by_example.conclude()
        nll = math.nan if self.not_finite.item() else self.nll.item() * UNIT
        loss = _per(nll, int(self.tokens.item()))
        return {
            "loss": loss,
            "perplexity": _exp(loss),
            "bits_per_byte": _per(loss / math.log(2), self.bytes_per_token),
            "word_perplexity": _exp(_per(loss, self.words_per_token)),
        }


def _per(total: float, count: float | int) -> float:
    return total / count if count else math.nan


def _exp(value: float) -> float:
    """Infinite where a diverged loss has no perplexity that a number can hold."""
    return math.inf if value >= 700 else math.exp(value)
