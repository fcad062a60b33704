"""Evaluation over several ranks: every batch is counted by one of them, and all make as many passes."""

from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import Dataset

from lmlab.types import IGNORE


class Shared(Dataset[Any]):
    """Batches rank, rank + world, ... of the first `num`.

    Where the others have one more, the last batch stands once more with no targets: it counts for nothing, unlike the copies
    with which a distributed sampler fills up.
    """

    def __init__(self, batches: Any, num: int, *, rank: int = 0, world: int = 1, is_counted: bool = True) -> None:
        self.batches, self.num = batches, num
        self.rank, self.world, self.is_counted = rank, world, is_counted

    def __len__(self) -> int:
        return -(-self.num // self.world)

    def __getitem__(self, number: int) -> Any:
        if number >= len(self):
            raise IndexError(number)
        index = number * self.world + self.rank
        batch = self.batches[min(index, self.num - 1)]
        if self.is_counted and index < self.num:
            return batch
        return replace(batch, targets=torch.full_like(batch.targets, IGNORE))
