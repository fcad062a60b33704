"""A larger base, so that the slowest pair is stretched and the fastest is not: NTK-aware (bloc97 2023; Peng et al. 2023, 3.1).

The base is multiplied by (factor * length / original_length - (factor - 1))^(dim / (dim - 2)), the formula of dynamic NTK
(Peng et al. 2023, 3.3), for one `length`. That the published one takes the length of each call is left out: keys in the
state would be turned by another base than new queries, and one token at a time would not give what one pass gives.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.model.position.scaling.frequencies import check, frequencies
from lmlab.types import Mistake


class Ntk:
    """With factor 1 the slowest pair turns length / original_length times as slowly."""

    attention_factor = 1.0

    def __init__(self, *, factor: float, original_length: int, length: int) -> None:
        check(factor, original_length)
        if length <= original_length:
            raise Mistake(
                f"model.position.scaling.length={length} is not above original_length={original_length}, so that nothing is "
                "stretched; raise it, or choose model/position/scaling=none"
            )
        self.growth = factor * length / original_length - (factor - 1)

    def frequencies(self, dim: int, base: float, device: torch.device) -> Float[Tensor, " pairs"]:
        if dim <= 2:
            raise Mistake(
                "model/position/scaling=ntk needs heads with two pairs or more; set model.dim to 4 num_heads or more"
            )
        return frequencies(dim, base * self.growth ** (dim / (dim - 2)), device)
