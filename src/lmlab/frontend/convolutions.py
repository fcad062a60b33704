"""Two convolutions of width 3 over time, each with a GELU (Radford et al. 2023, section 2.2: Whisper, whose factor is 2)."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.types import Mistake

STRIDES = {1: (1, 1), 2: (1, 2), 4: (2, 2)}
"""Factor -> strides of the two."""


class Convolutions(nn.Module):
    """Features of frames -> vectors of the model's width, one for `factor` frames; zeros stand around a recording.

    Args:
        num_features: of a frame.
        dim: of the model.
        factor: frames that one state stands for.
    """

    def __init__(self, *, num_features: int, dim: int, factor: int) -> None:
        super().__init__()
        if factor not in STRIDES:
            raise Mistake(
                f"frontend.factor={factor} is not what two convolutions make; set it to 1, 2 or 4, or choose "
                "frontend=stacking"
            )
        self.factor = factor
        first, second = STRIDES[factor]
        self.first = nn.Conv1d(num_features, dim, kernel_size=3, stride=first, padding=1)
        self.second = nn.Conv1d(dim, dim, kernel_size=3, stride=second, padding=1)

    def forward(
        self, inputs: Float[Tensor, "batch time features"], document: Int[Tensor, "batch time"] | None
    ) -> Float[Tensor, "batch states dim"]:
        is_real = inputs.new_ones(1, 1, inputs.shape[1]) if document is None else (document > 0)[:, None].to(inputs)
        states = inputs.transpose(1, 2) * is_real
        for part in (self.first, self.second):
            # What a window over a recording's end makes of padding must be zeros again for the next one.
            is_real = is_real[:, :, :: part.stride[0]]
            states = nn.functional.gelu(part(states)) * is_real
        return states.transpose(1, 2)
