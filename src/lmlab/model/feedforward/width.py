"""How wide a feed-forward is inside."""

import torch
from torch import Tensor, nn

from lmlab.types import Mistake

MULTIPLE = 8
"""Hidden widths are multiples of it, so that matrix kernels run full tiles (16 bytes of bf16)."""


def width(*, dim: int, expansion: float, hidden_dim: int | None) -> int:
    """hidden_dim if it is given, else the multiple of 8 that is nearest to expansion * dim."""
    if hidden_dim is not None:
        return hidden_dim
    if expansion <= 0:
        raise Mistake(f"model.feedforward.expansion={expansion} gives no width; set it above 0")
    return max(1, round(expansion * dim / MULTIPLE)) * MULTIPLE


def share(projection: nn.Linear, *, parts: int, ranks: int) -> Tensor:
    """The rows of a projection onto `parts` hidden vectors, in an order in which those of each rank stand together."""
    hidden = projection.out_features // parts
    if hidden % ranks:
        raise Mistake(
            f"strategy=tensor_parallel shares hidden units among ranks: model.feedforward.hidden_dim={hidden} is not divisible "
            f"by trainer.devices={ranks}; set it to a multiple of {ranks}"
        )
    if projection.bias is not None:
        raise Mistake(
            "strategy=tensor_parallel takes a feed-forward without biases; set model.feedforward.bias=false, "
            "or choose strategy=fsdp"
        )
    rows = torch.arange(projection.out_features).split(hidden)
    return torch.cat([part.chunk(ranks)[rank] for rank in range(ranks) for part in rows])
