"""Places divided by a factor: position interpolation (Chen et al. 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.model.position.scaling.frequencies import check, frequencies


class Linear:
    """Every pair turns `factor` times as slowly."""

    attention_factor = 1.0

    def __init__(self, *, factor: float) -> None:
        check(factor)
        self.factor = factor

    def frequencies(self, dim: int, base: float, device: torch.device) -> Float[Tensor, " pairs"]:
        return frequencies(dim, base, device) / self.factor
