"""Finding the captions of an image, and the images of a caption, among all of a split: recall at k and the median rank."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.gathered import gathered
from lmlab.ranking import AT, DIRECTIONS, figures
from lmlab.types import IGNORE

FIGURES = (
    "loss",
    "recall",
    *(f"{way}_{name}" for way in DIRECTIONS for name in (*(f"recall@{k}" for k in AT), "rank")),
)


class Retrieval(Metric):
    """Each image of the split is a query for its captions, and each caption, equal ones once, a query for its images.

    `recall` is the mean of the six recalls; `loss` that of a batch which is the whole split: the mean over images and that over
    captions, averaged; it does not depend on the size of the batches, but on that of the split.

    Args:
        directed: the loss of each query, as a head has it.
    """

    full_state_update = False
    images: list[Tensor]
    owned: list[Tensor]
    texts: list[Tensor]
    numbers: list[Tensor]

    def __init__(self, *, directed: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.directed = directed
        for name in ("images", "owned", "texts", "numbers"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, images: Tensor, owned: Tensor, texts: Tensor, numbers: Tensor) -> None:
        """Add a batch: images [image, width], the numbers of their captions [image, captions], IGNORE behind them, captions
        [caption, width] and their numbers [caption]; logits are products."""
        self.images.append(images.detach().float())
        self.owned.append(owned)
        self.texts.append(texts.detach().float())
        self.numbers.append(numbers)

    def compute(self) -> dict[str, float]:
        none = torch.zeros(0, 1)
        images, owned = gathered(self.images, none), gathered(self.owned, none.long())
        texts, numbers = gathered(self.texts, none), gathered(self.numbers, none.long()[:, 0])
        if not len(images) or not (images.isfinite().all() and texts.isfinite().all()):
            return dict.fromkeys(FIGURES, math.nan)
        number, first = _first_of_each(numbers)
        logits = (images.double() @ texts[first].double().T).cpu()
        belongs = (owned[:, :, None] == number).any(dim=1).cpu()
        both = self.directed(logits, belongs).mean(), self.directed(logits.T, belongs.T).mean()
        return {"loss": float(sum(both)) / 2, **figures(logits.numpy(), belongs.numpy())}


def _first_of_each(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """The different numbers in ascending order, and where each stands first."""
    order = numbers.argsort(stable=True)
    known = numbers[order]
    is_first = torch.ones_like(known, dtype=torch.bool)
    is_first[1:] = known[1:] != known[:-1]
    assert bool((known != IGNORE).all()), "every caption has a number"
    return known[is_first], order[is_first]
