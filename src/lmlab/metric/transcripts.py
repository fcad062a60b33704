"""Errors of transcripts over a split: words and characters by edit distance, and how many are right as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.per_example import PerExample
from lmlab.metric.token_loss import UNIT

COUNTS = ("examples", "right", "word_errors", "words", "character_errors", "characters")


class Transcripts(Metric):
    """Pooled over the split: all errors over all that was said.

    `wer` and `cer` are the word and the character error rate: substitutions, deletions and insertions, over the words and
    characters (blanks as well) that were said; `accuracy` is the share of transcripts without an error; `loss` is in nats
    per recording.

    Args:
        spell: tokens -> text.
    """

    full_state_update = False
    units: Mapping[str, float] = MappingProxyType({**dict.fromkeys(COUNTS, 1.0), "nll": UNIT})
    scores: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
        {
            "wer": ("mean", ("word_errors", "words")),
            "cer": ("mean", ("character_errors", "characters")),
            "accuracy": ("accuracy", ("right", "examples")),
            "loss": ("mean", ("nll", "examples")),
        }
    )
    total: Tensor
    counts: Tensor

    def __init__(self, *, spell: Callable[[list[int]], str]) -> None:
        super().__init__()
        self.spell = spell
        self.by_example: PerExample | None = None
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(COUNTS), dtype=torch.long), dist_reduce_fx="sum")

    def update(
        self, losses: Tensor, found: Sequence[list[int]], said: Sequence[list[int]], places: Tensor | None = None
    ) -> None:
        """Add a batch: losses [batch], the tokens of each recording, and its place in the split [batch]."""
        self.total = self.total + losses.detach().sum().to(self.total)
        counts = [errors(self.spell(one), self.spell(other)) for one, other in zip(found, said, strict=True)]
        if counts:
            self.counts = self.counts + torch.tensor(counts).sum(dim=0).to(self.counts)
        if counts and self.by_example is not None and places is not None:
            nats = (losses.detach().double().cpu() / UNIT).round().long()
            self.by_example.add(places.cpu(), torch.cat([torch.tensor(counts), nats[:, None]], dim=1))

    def compute(self) -> dict[str, float]:
        if self.by_example is not None:
            self.by_example.conclude()
        counts = dict(zip(COUNTS, self.counts.tolist(), strict=True))
        number = max(counts["examples"], 1)
        return {
            "loss": float(self.total) / number,
            "wer": counts["word_errors"] / max(counts["words"], 1),
            "cer": counts["character_errors"] / max(counts["characters"], 1),
            "accuracy": counts["right"] / number,
        }


def errors(found: str, said: str) -> tuple[int, int, int, int, int, int]:
    """COUNTS of one transcript."""
    words, others = said.split(), found.split()
    distance, character_distance = edit_distance(others, words), edit_distance(found, said)
    return 1, int(words == others), distance, len(words), character_distance, len(said)


def edit_distance(found: Sequence[str], said: Sequence[str]) -> int:
    """Least number of insertions, deletions and substitutions that make one of the other (Levenshtein 1966)."""
    if not said or not found:
        return max(len(found), len(said))
    number = {symbol: place for place, symbol in enumerate({*found, *said})}
    columns = np.array([number[symbol] for symbol in said])
    places = np.arange(len(said) + 1)
    row = places
    for symbol in found:
        changed = np.minimum(row[:-1] + (columns != number[symbol]), row[1:] + 1)
        # Deletions run along the row: the least, from anywhere before, of its value and the way from there.
        row = np.minimum.accumulate(np.concatenate(([row[0] + 1], changed)) - places) + places
    return int(row[-1])
