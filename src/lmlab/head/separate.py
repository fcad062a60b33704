"""p(tag | sentence) of each word by itself: a softmax at its place."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmlab.types import IGNORE


class Separate(NamedTuple):
    """The scores of a batch."""

    logits: Float[Tensor, "batch time tags"]

    def loss(self, targets: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """-log p, summed over words; IGNORE where there is no tag."""
        return F.cross_entropy(self.logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum")

    def best(self, is_word: Bool[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
        """The likeliest tag of each word; IGNORE where there is none."""
        return self.logits.argmax(dim=-1).masked_fill(~is_word, IGNORE)
