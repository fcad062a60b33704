"""Torch's fused kernels of one recurrent layer, on the weights that a module holds at the moment of the call.

`module(inputs)` would run on those that it held when it was made: weights dropped for one pass would be passed over.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.cell.uncompiled import uncompiled


@uncompiled
def fused(
    kernel: Callable[..., tuple[Tensor, ...]],
    module: nn.RNNBase,
    inputs: Float[Tensor, "batch time input_dim"],
    state: tuple[Tensor, ...],
) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
    """The states, and the last state's parts [batch, dim]."""
    before = tuple(part[None] for part in state)
    layers, dropout, is_bidirectional, batch_first = 1, 0.0, False, True
    states, *last = kernel(
        inputs,
        before if len(before) > 1 else before[0],
        module.all_weights[0],
        module.bias,
        layers,
        dropout,
        module.training,
        is_bidirectional,
        batch_first,
    )
    return states, tuple(part[0] for part in last)


def zeros(inputs: Float[Tensor, "batch time input_dim"], *, dim: int, parts: int) -> tuple[Tensor, ...]:
    """What a sequence begins with."""
    empty = inputs.new_zeros(inputs.shape[0], dim)
    return (empty,) * parts


def rounds_at_every_step(inputs: Float[Tensor, "batch time input_dim"]) -> bool:
    """Whether the kernels of Gru and Rnn round their weights so: under autocast on a CPU, where they are loops."""
    return inputs.device.type == "cpu" and torch.is_autocast_enabled("cpu")
