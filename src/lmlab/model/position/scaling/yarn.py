"""Pairs that turned often over the training's length stay, those that did not turn once are stretched, a ramp between them
(YaRN: Peng et al. 2023, 3.2 and 3.4).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.model.position.scaling.frequencies import check, frequencies
from lmlab.types import Mistake


class Yarn:
    """With the temperature of 3.4: cosines and sines times 0.1 ln(factor) + 1, where nothing else is given."""

    def __init__(
        self,
        *,
        factor: float,
        original_length: int,
        beta_fast: float,
        beta_slow: float,
        attention_factor: float | None,
    ) -> None:
        check(factor, original_length)
        if not beta_fast > beta_slow > 0:
            raise Mistake(
                f"model.position.scaling.beta_fast={beta_fast} and beta_slow={beta_slow} leave no ramp; set beta_fast above "
                "beta_slow, and that above 0"
            )
        self.factor, self.original_length = factor, original_length
        self.beta_fast, self.beta_slow = beta_fast, beta_slow
        self.attention_factor = 0.1 * math.log(factor) + 1.0 if attention_factor is None else attention_factor

    def frequencies(self, dim: int, base: float, device: torch.device) -> Float[Tensor, " pairs"]:
        kept = frequencies(dim, base, device)
        first = max(math.floor(self._pair(self.beta_fast, dim, base)), 0)
        last = min(math.ceil(self._pair(self.beta_slow, dim, base)), dim - 1)
        pair = torch.arange(dim // 2, dtype=torch.float32, device=device)
        ramp = ((pair - first) / max(last - first, 0.001)).clamp(0, 1)
        return kept / self.factor * ramp + kept * (1 - ramp)

    def _pair(self, turns: float, dim: int, base: float) -> float:
        """The pair that turns so often over the original length, as a real number."""
        return dim * math.log(self.original_length / (2 * math.pi * turns)) / (2 * math.log(base))
