"""Frames side by side, as many as one state stands for, and a linear map (Sak et al. 2015, section 3)."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.types import Mistake


class Stacking(nn.Module):
    """Features of `factor` frames -> a vector of the model's width.

    Args:
        num_features: of a frame.
        dim: of the model.
        factor: frames that one state stands for; what is missing of the last is zeros.
    """

    def __init__(self, *, num_features: int, dim: int, factor: int) -> None:
        super().__init__()
        if factor < 1:
            raise Mistake(f"frontend.factor={factor} is wrong: expected 1 or more frames; set it to 4")
        self.factor = factor
        self.map = nn.Linear(num_features * factor, dim)

    def forward(
        self, inputs: Float[Tensor, "batch time features"], document: Int[Tensor, "batch time"] | None
    ) -> Float[Tensor, "batch states dim"]:
        real = inputs if document is None else inputs * (document > 0)[..., None]
        padded = nn.functional.pad(real, (0, 0, 0, -real.shape[1] % self.factor))
        stacked = padded.reshape(len(padded), -1, self.factor * padded.shape[-1])
        vectors: Tensor = self.map(stacked)
        return vectors if document is None else vectors * (document[:, :: self.factor] > 0)[..., None]
