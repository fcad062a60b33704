"""The residual block of ByteNet, with ReLU (Kalchbrenner et al. 2016, figure 3, left): 1x1, dilated filter, 1x1."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.filter import Filter
from lmlab.model.taps import Rows, remembered, taps
from lmlab.types import ModuleFactory


class DilatedBlock(nn.Module):
    """x + W_3 ReLU(norm(filter(ReLU(norm(W_1 ReLU(norm(x))))))), the filter on half the width.

    A causal filter's last tap is the place itself, another's taps lie around it.
    """

    def __init__(
        self, *, dim: int, kernel_size: int, dilation: int, causal: bool, norm: ModuleFactory, dropout: float
    ) -> None:
        super().__init__()
        first = kernel_size - 1 if causal else (kernel_size - 1) // 2
        self.shifts = [(tap - first) * dilation for tap in range(kernel_size)]
        self.entry_norm = norm(dim=dim)
        self.entry = nn.Linear(dim, dim // 2)
        self.filter_norm = norm(dim=dim // 2)
        self.filter = Filter(channels=dim // 2, features=dim // 2, width=kernel_size)
        self.output_norm = norm(dim=dim // 2)
        self.output = nn.Linear(dim // 2, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        states: Float[Tensor, "batch time dim"],
        rows: Rows | None,
        before: Float[Tensor, "batch back half"] | None,
    ) -> tuple[Float[Tensor, "batch time dim"], Float[Tensor, "batch back half"]]:
        """The states after the block, and the filter's last inputs."""
        entered = torch.relu(self.filter_norm(self.entry(torch.relu(self.entry_norm(states)))))
        filtered = self.filter(taps(entered, self.shifts, rows, before))
        update = self.output(torch.relu(self.output_norm(filtered)))
        after = remembered(entered, max(0, -self.shifts[0]), rows, before)
        return states + self.dropout(update), after
