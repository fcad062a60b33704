"""e^s_j / (e^sink + sum_k e^s_k): a score without a value, so that a head may attend to nothing (Miller 2023; gpt-oss 2025)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Mistake


class Sinks(nn.Module):
    """A learned logit for each head; it begins at 0, which is Miller's softmax_1."""

    def __init__(self, *, num_heads: int, part: str) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_heads))
        self.part = part

    def forward(self) -> Float[Tensor, " heads"]:
        return self.logits

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """Tensor parallelism shares projections of heads, and these have none."""
        raise Mistake(
            f"strategy=tensor_parallel shares heads among ranks, which their sinks do not follow; "
            f"set model.{self.part}.sinks=false, or choose strategy=fsdp"
        )
