"""Cross-entropy of a split in every unit that is published: nats per token, perplexity, bits per byte, per word."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric

UNIT = 2.0**-20
"""Nats per count: integers add up to the same in any order and on any number of ranks, and MPS has no double."""


class TokenLoss(Metric):
    """Sums over batches and ranks; bytes and words are the split's own, so that tokenizers compare."""

    full_state_update = False
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

    def update(self, nll_sum: Tensor, num_tokens: int | Tensor) -> None:
        """Add a batch: its summed negative log-likelihood in nats, and over how many tokens."""
        nll = nll_sum.detach().float()
        is_finite = nll.isfinite()
        self.nll += torch.where(is_finite, nll / UNIT, 0.0).round().long()
        self.not_finite += (~is_finite).long()
        self.tokens += torch.as_tensor(num_tokens).to(self.tokens)

    def compute(self) -> dict[str, float]:
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
