"""The mean of a loss over all its terms, over batches and ranks."""

import math

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanLoss(Metric):
    """NaN where there was no term."""

    full_state_update = False
    total: Tensor
    number: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("number", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, total: Tensor, number: int) -> None:
        """Add a batch: the sum of its terms, and how many they are."""
        self.total += total
        self.number += number

    def compute(self) -> dict[str, float]:
        number = int(self.number.item())
        return {"loss": self.total.item() / number if number else math.nan}
