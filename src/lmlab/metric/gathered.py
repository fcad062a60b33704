"""What a metric's state of lists holds: one list a rank before ranks exchange it, a tensor after."""

import torch
from torch import Tensor


def gathered(parts: list[Tensor] | Tensor, nothing: Tensor) -> Tensor:
    """All parts as one tensor; `nothing` where there are none."""
    if isinstance(parts, Tensor):
        return parts
    return torch.cat(parts) if parts else nothing
