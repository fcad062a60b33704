"""The frequencies as they are (Su et al. 2021, eq. 15)."""

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.model.position.scaling.frequencies import frequencies


class NoScaling:
    """Nothing is stretched."""

    attention_factor = 1.0

    def frequencies(self, dim: int, base: float, device: torch.device) -> Float[Tensor, " pairs"]:
        return frequencies(dim, base, device)
