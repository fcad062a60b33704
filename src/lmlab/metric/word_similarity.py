"""Spearman's rank correlation between the cosines of word vectors and the similarities that people gave (Spearman 1904)."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.candidates import Candidates
from lmlab.types import WordPair

log = logging.getLogger(__name__)


class WordSimilarity(Metric):
    """Pairs with a word that has no vector are left out, and `coverage` is the share of the others.

    `compute` gives the correlation under the empty name; where it is not defined (fewer than two pairs, or all alike), it
    is left out, and the log says so.
    """

    full_state_update = False
    correlation: Tensor

    def __init__(self, *, words: Sequence[str], pairs: Sequence[WordPair], name: str = "the set") -> None:
        """`words` are by id and by falling frequency; `name` is what the log calls the pairs."""
        super().__init__()
        self.name = name
        self.candidates = Candidates(words, None)
        known = [
            (first, second, score)
            for one, other, score in pairs
            if (first := self.candidates.place(one)) is not None
            and (second := self.candidates.place(other)) is not None
        ]
        self.places = [(first, second) for first, second, _ in known]
        self.scores = [score for _, _, score in known]
        self.num_pairs = len(pairs)
        self.add_state("correlation", torch.tensor(math.nan, dtype=torch.float32), dist_reduce_fx="mean")

    def update(self, vectors: Float[Tensor, "vocab dim"]) -> None:
        """Measure these vectors; those of an earlier update count no more."""
        cosines = self._cosines(self.candidates.select(vectors))
        value = _correlation(cosines, self.scores)
        if math.isnan(value):
            log.warning(
                "similarity on %s is left out: %d of %d pairs have both words in the vocabulary, and not two of different cosine",
                self.name,
                len(self.scores),
                self.num_pairs,
            )
        self.correlation = torch.full_like(self.correlation, value)

    def _cosines(self, chosen: Float[Tensor, "candidates dim"]) -> list[float]:
        """In double precision on the CPU, since a rank hangs on the last bit, and then rounded, so that equals tie."""
        places = torch.tensor(self.places, dtype=torch.long, device=chosen.device).view(-1, 2)
        unit = torch.nn.functional.normalize(chosen[places].cpu().double(), dim=2, eps=1e-30)
        cosines: list[float] = torch.einsum("pd,pd->p", unit[:, 0], unit[:, 1]).float().tolist()
        return cosines

    def compute(self) -> dict[str, float]:
        value = float(self.correlation)
        found = {} if math.isnan(value) else {"": value}
        return found | {"coverage": len(self.scores) / max(self.num_pairs, 1)}


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Pearson's correlation of ranks, ties having the mean of theirs; NaN where a side is constant or shorter than two."""
    ranks: Any = [rankdata(side) - (len(side) + 1) / 2 for side in (one, other)]
    scale = math.sqrt(float((ranks[0] ** 2).sum()) * float((ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / scale if scale else math.nan
