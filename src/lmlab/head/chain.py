"""p(tags | sentence) of a linear chain: scores of words and of neighbouring tags (Lafferty et al. 2001; Collobert et al. 2011).

Tags stand at some places of a row only, the first piece of each word: between them the chain waits, so that neither pieces
nor padding change anything.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmlab.types import IGNORE


class Chain(NamedTuple):
    """The scores of a batch."""

    emissions: Float[Tensor, "batch time tags"]
    transitions: Float[Tensor, "tags tags"]
    """From a word's tag to the next one's."""
    start: Float[Tensor, "tags"]
    end: Float[Tensor, "tags"]

    def loss(self, targets: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """-log p, summed over sentences; IGNORE where there is no tag."""
        return (self.log_partition(targets != IGNORE) - self.score(targets)).sum()

    def log_partition(self, is_word: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch"]:
        """log of the sum over all ways to tag a sentence, by the forward algorithm; 0 of a row without words."""
        reached = torch.zeros_like(self.emissions[:, 0])
        begun = torch.zeros_like(is_word[:, 0])
        for emission, here in zip(self.emissions.unbind(dim=1), is_word.unbind(dim=1)):
            from_before = (reached[:, :, None] + self.transitions).logsumexp(dim=1)
            entered = torch.where(begun[:, None], from_before, self.start) + emission
            reached = torch.where(here[:, None], entered, reached)
            begun = begun | here
        return torch.where(begun, (reached + self.end).logsumexp(dim=1), 0.0)

    def score(self, targets: Int[Tensor, "batch time"]) -> Float[Tensor, "batch"]:
        """Of one way to tag each sentence; 0 of a row without words."""
        is_word, tags = targets != IGNORE, targets.clamp(min=0)
        places = torch.arange(targets.shape[1], device=targets.device).expand_as(targets)
        last = torch.where(is_word, places, -1).cummax(dim=1).values  # the word at or before each place
        before = torch.cat((torch.full_like(last[:, :1], -1), last[:, :-1]), dim=1)
        moves = self.transitions[tags.gather(1, before.clamp(min=0)), tags]
        entered = torch.where(before >= 0, moves, self.start[tags])
        own = self.emissions.gather(2, tags[:, :, None]).squeeze(2)
        left = self.end[tags.gather(1, last[:, -1:].clamp(min=0)).squeeze(1)]
        return torch.where(is_word, own + entered, 0.0).sum(dim=1) + torch.where(last[:, -1] >= 0, left, 0.0)

    @torch.no_grad()
    def best(self, is_word: Bool[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
        """The likeliest tags of each sentence (Viterbi 1967); IGNORE where there is no word."""
        reached = torch.zeros_like(self.emissions[:, 0])
        begun = torch.zeros_like(is_word[:, 0])
        same = torch.arange(reached.shape[1], device=reached.device).expand(reached.shape)
        pointers = []
        for emission, here in zip(self.emissions.unbind(dim=1), is_word.unbind(dim=1)):
            from_before, pointer = (reached[:, :, None] + self.transitions).max(dim=1)
            entered = torch.where(begun[:, None], from_before, self.start) + emission
            reached = torch.where(here[:, None], entered, reached)
            pointers.append(torch.where(here[:, None], pointer, same))
            begun = begun | here
        tag = (reached + self.end).argmax(dim=1, keepdim=True)
        found = []
        for pointer in reversed(pointers):
            found.append(tag)
            tag = pointer.gather(1, tag)
        tags = torch.cat(found[::-1], dim=1)
        return tags.masked_fill(~is_word, IGNORE)
