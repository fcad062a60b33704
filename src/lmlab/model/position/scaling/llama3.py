"""Short waves stay, long ones are stretched, between them a blend by wavelength (Llama 3.1: Grattafiori et al. 2024)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.model.position.scaling.frequencies import check, frequencies
from lmlab.types import Mistake


class Llama3:
    """The blend runs where a wave fits low_freq_factor to high_freq_factor times into the original length."""

    attention_factor = 1.0

    def __init__(self, *, factor: float, original_length: int, low_freq_factor: float, high_freq_factor: float) -> None:
        check(factor, original_length)
        if not high_freq_factor > low_freq_factor:
            raise Mistake(
                f"model.position.scaling.high_freq_factor={high_freq_factor} is not above "
                f"low_freq_factor={low_freq_factor}; raise it"
            )
        self.factor, self.original_length = factor, original_length
        self.low, self.high = low_freq_factor, high_freq_factor

    def frequencies(self, dim: int, base: float, device: torch.device) -> Float[Tensor, " pairs"]:
        kept = frequencies(dim, base, device)
        waves = self.original_length * kept / (2 * math.pi)  # that fit into the original length
        share = ((waves - self.low) / (self.high - self.low)).clamp(0, 1)
        return (1 - share) * kept / self.factor + share * kept
