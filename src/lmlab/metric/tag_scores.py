"""Scores of a tagger: loss, accuracy, macro F1, and of spans those of conlleval (Tjong Kim Sang and De Meulder 2003)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.confusion import MOST_CLASSES
from lmlab.metric.gathered import gathered
from lmlab.metric.per_example import PerExample
from lmlab.spans import OUTSIDE, Span, have_spans, spans


class TagScores(Metric):
    """`loss` is in nats per word, `macro_f1` the mean over the tags that are there or are predicted.

    Where tags are of a scheme, `span_precision`, `span_recall` and `span_f1` are those of all spans of the split together:
    a span is right if its first and last word and its kind are. Sentences that were cut are put together before.

    Args:
        labels: the tags, in the order of their numbers.
    """

    full_state_update = False
    total: Tensor
    confusion: Tensor
    places: list[Tensor]
    found: list[Tensor]
    targets: list[Tensor]

    def __init__(self, *, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels, self.has_spans = tuple(labels), have_spans(labels)
        spans_of = ("told", "false", "missed") if self.has_spans else ()
        self.units: Mapping[str, float] = dict.fromkeys(("right", "words", *spans_of), 1.0)
        self.scores: Mapping[str, tuple[str, tuple[str, ...]]] = {
            **({"span_f1": ("f1", spans_of)} if self.has_spans else {}),
            "accuracy": ("accuracy", ("right", "words")),
        }
        self.by_example: PerExample | None = None
        self.last_confusion: np.ndarray | None = None
        """See Confused; of words."""
        self.add_state("total", torch.zeros((), dtype=torch.double), dist_reduce_fx="sum")
        number = len(self.labels)
        self.add_state("confusion", torch.zeros(number, number, dtype=torch.long), dist_reduce_fx="sum")
        for name in ("places", "found", "targets") if self.has_spans else ():
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(
        self,
        total: Float[Tensor, ""],
        found: Int[Tensor, "word"],
        targets: Int[Tensor, "word"],
        places: Int[Tensor, "word"],
    ) -> None:
        """Add a batch: its summed loss; tags by number; places that count up by 1 within a sentence, and by 2 to the next."""
        number = len(self.labels)
        self.total += total.detach()
        self.confusion += torch.bincount(targets * number + found, minlength=number**2).reshape(number, number)
        if self.by_example is not None:
            self._count("right", places[found == targets], known=False)
            self._count("words", places, known=False)
        if self.has_spans:
            self.places.append(places)
            self.found.append(found)
            self.targets.append(targets)

    def compute(self) -> dict[str, float]:
        counts = self.confusion.cpu().double()
        num_words = float(counts.sum())
        is_kept = num_words and len(self.labels) <= MOST_CLASSES
        self.last_confusion = self.confusion.cpu().numpy().copy() if is_kept else None
        right, true, said = counts.diagonal(), counts.sum(dim=1), counts.sum(dim=0)
        is_there = true + said > 0
        figures = {
            "loss": float(self.total) / num_words if num_words else math.nan,
            "accuracy": float(right.sum()) / num_words if num_words else math.nan,
            "macro_f1": float((2 * right / (true + said))[is_there].mean()),
        }
        if self.has_spans:
            figures |= self._of_spans()
        if self.by_example is not None:
            self.by_example.conclude()
        return figures

    def _count(self, statistic: str, places: Tensor, *, known: bool) -> None:
        """One at each place; `known` to every rank."""
        assert self.by_example is not None
        counts = torch.zeros(len(places), len(self.units), dtype=torch.long, device=places.device)
        counts[:, list(self.units).index(statistic)] = 1
        (self.by_example.add_known if known else self.by_example.add)(places, counts)

    def _of_spans(self) -> dict[str, float]:
        places, found, targets = (
            gathered(one, torch.zeros(0, dtype=torch.long)).cpu().numpy()
            for one in (self.places, self.found, self.targets)
        )
        order = np.argsort(places, kind="stable")
        true, said = (self._spans(tags[order], places[order]) for tags in (targets, found))
        right = len(true & said)
        if self.by_example is not None and len(places):
            first = int(places.min())
            for name, some in (("told", true & said), ("false", said - true), ("missed", true - said)):
                self._count(name, _begins(some) + first, known=True)
        return {
            "span_precision": right / len(said) if said else 0.0,
            "span_recall": right / len(true) if true else 0.0,
            "span_f1": 2 * right / (len(true) + len(said)) if right else 0.0,
        }

    def _spans(self, tags: Int[np.ndarray, "word"], places: Int[np.ndarray, "word"]) -> set[Span]:
        """Of all sentences; no span reaches over a place that is left out."""
        if not len(places):
            return set()
        line = np.full(int(places[-1] - places[0]) + 1, len(self.labels))
        line[places - places[0]] = tags
        names = (*self.labels, OUTSIDE)
        return {*spans(names[tag] for tag in line.tolist())}


def _begins(some: Iterable[Span]) -> Tensor:
    """Where spans begin, in the order of the places."""
    return torch.tensor(sorted(span.first for span in some), dtype=torch.long)
