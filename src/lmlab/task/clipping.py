"""Clipping by the norm of the whole gradient (Pascanu et al. 2013), whole or in pieces on several ranks."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def clip(parameters: Iterable[Tensor], limit: float) -> Tensor:
    """Scales the gradients so that their norm is at most `limit`; the norm that they had, the same on every rank."""
    known = [parameter for parameter in parameters if parameter.grad is not None]
    cut = [parameter for parameter in known if isinstance(parameter.grad, DTensor)]
    if not cut:
        return nn.utils.clip_grad_norm_(known, limit)
    uncut = [parameter for parameter in known if not isinstance(parameter.grad, DTensor)]
    gradients = [[parameter.grad for parameter in part if parameter.grad is not None] for part in (cut, uncut)]
    norms = [nn.utils.get_total_norm(part) for part in gradients if part]
    total: Tensor = torch.stack([norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]).norm()
    for part in (cut, uncut):
        if part:
            nn.utils.clip_grads_with_norm_(part, limit, total)
    return total
