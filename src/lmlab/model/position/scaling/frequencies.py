"""base^(-2i / dim) for the pairs i of a head, and what all ways to stretch them ask of their numbers."""

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.types import Mistake


def frequencies(dim: int, base: float, device: torch.device) -> Float[Tensor, " pairs"]:
    """The angle by which each pair turns from one place to the next (Su et al. 2021, eq. 15)."""
    even = torch.arange(0, dim, 2, dtype=torch.float32, device=device)
    return base ** (-even / dim)


def check(factor: float, original_length: int | None = None) -> None:
    """Whether anything is stretched, and from where."""
    if factor < 1:
        raise Mistake(f"model.position.scaling.factor={factor} would shorten what is reached; set it to 1 or more")
    if original_length is not None and original_length < 1:
        raise Mistake(
            f"model.position.scaling.original_length={original_length} is no length; set it to that of the training"
        )
