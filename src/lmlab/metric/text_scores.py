"""What was written for the sources of a split: loss per token, and scores against the references."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.gathered import gathered
from lmlab.metric.per_example import PerExample
from lmlab.metric.token_loss import UNIT
from lmlab.metric.written import SCORES, STATISTICS, References, scored, statistics
from lmlab.types import Mistake


class TextScores(Metric):
    """`loss` is in nats per target token, `<eos>` among them, of which it is the exponential that `perplexity` is.

    Args:
        scores: names of `lmlab.metric.written.SCORES`.
        references: of every example of the split, in its order; read when they are first needed.
        decode: ids -> text.
    """

    full_state_update = False
    nll: Tensor
    tokens: Tensor
    not_finite: Tensor
    written: list[Tensor]
    """Ids of one text after the other."""
    places: list[Tensor]
    """Of each text its place and how many ids it has."""

    def __init__(
        self, *, scores: Sequence[str], references: Callable[[], References], decode: Callable[[list[int]], str]
    ) -> None:
        super().__init__()
        check_scores(scores)
        self.names, self.references, self.decode = scores, references, decode
        self.units: Mapping[str, float] = {name: unit for one in scores for name, unit in STATISTICS[one].units.items()}
        self.units |= {"nll": UNIT, "tokens": 1.0}
        self.scores: Mapping[str, tuple[str, tuple[str, ...]]] = {
            **{figure: taken for one in scores for figure, taken in STATISTICS[one].scores.items()},
            "loss": ("mean", ("nll", "tokens")),
            "perplexity": ("perplexity", ("nll", "tokens")),
        }
        self.by_example: PerExample | None = None
        self.last: Mapping[int, str] = {}
        """Place -> what was written there, of the last evaluation."""
        for name in ("nll", "tokens", "not_finite"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        for name in ("written", "places"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(
        self, nll: Tensor, written: Sequence[Sequence[int]], places: Tensor, num_targets: Tensor | None = None
    ) -> None:
        """Add a batch: the losses of its targets [target], what was written for each example, their places [batch], and how
        many of the targets are each example's [batch]."""
        nll = nll.detach().float()
        is_finite = nll.isfinite()
        self.nll += torch.where(is_finite, nll / UNIT, 0.0).round().long().sum()
        self.not_finite += (~is_finite).sum()
        self.tokens += nll.numel()
        if self.by_example is not None and num_targets is not None and len(nll):
            counts = torch.zeros(len(nll), len(self.units), dtype=torch.long, device=nll.device)
            counts[:, -2], counts[:, -1] = torch.where(is_finite, nll / UNIT, 0.0).round().long(), 1
            self.by_example.add(places.repeat_interleave(num_targets), counts)
        lengths = torch.tensor([len(ids) for ids in written], dtype=torch.long, device=places.device)
        self.places.append(torch.stack([places, lengths], dim=1))
        flat = [one for ids in written for one in ids]
        self.written.append(torch.tensor(flat, dtype=torch.long, device=places.device))

    def compute(self) -> dict[str, float]:
        is_known = self.tokens.item() and not self.not_finite.item()
        loss = self.nll.item() * UNIT / self.tokens.item() if is_known else math.nan
        found = {"loss": loss, "perplexity": math.inf if loss >= 700 else math.exp(loss)}
        self.last = self._texts()
        if not self.last:
            return {**found, **dict.fromkeys(figures(self.names), math.nan)}
        references = self.references()
        texts = [self.last[place] for place in sorted(self.last)]
        own = [references[place] for place in sorted(self.last)]
        if self.by_example is not None:
            columns = [*(statistics(name, texts, own) for name in self.names), np.zeros((len(texts), 2))]
            counts = (np.column_stack(columns) / np.array([*self.units.values()])).round().astype(np.int64)
            self.by_example.add_known(torch.tensor(sorted(self.last)), torch.from_numpy(counts))
            self.by_example.conclude()
        return {**found, **scored(self.names, texts, own)}

    def _texts(self) -> dict[int, str]:
        none = torch.zeros(0, dtype=torch.long)
        header = gathered(self.places, none.reshape(0, 2)).cpu()
        flat = gathered(self.written, none).cpu()
        parts = torch.split(flat, header[:, 1].tolist())
        return {place: self.decode(ids.tolist()).strip() for place, ids in zip(header[:, 0].tolist(), parts)}


def figures(scores: Sequence[str]) -> list[str]:
    """The figures that some scores have."""
    return list(scored(scores, ["a b"], [["a b"]]))


def check_scores(scores: Sequence[str]) -> None:
    """Refuses names that nobody knows."""
    for name in scores:
        if name not in SCORES:
            raise Mistake(f"metric.scores has {name!r}, which is no score; choose among {', '.join(SCORES)}")
