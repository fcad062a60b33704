"""A recurrence that no fused kernel knows: one call for each position, the state handed on; so training is decoding."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.types import Extras, Memory, Output, SequenceModel, State


def by_steps(
    model: SequenceModel,
    inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time width"],
    document: Int[Tensor, "batch time"] | None,
    memory: Memory | None,
    state: State,
    with_attention: bool,
) -> Output:
    """What calls of the model on single positions return, joined."""
    states, cross_attention = [], []
    for time in range(inputs.shape[1]):
        numbers = None if document is None else document[:, time : time + 1]
        output = model(inputs[:, time : time + 1], numbers, memory, state, with_attention=with_attention)
        state = output.state
        states.append(output.states)
        cross_attention.append(output.extras.cross_attention)
    joined = tuple(torch.cat(weights, dim=2) for weights in zip(*cross_attention, strict=True))
    return Output(torch.cat(states, dim=1), state, Extras(cross_attention=joined))


def held(
    value: Float[Tensor, "batch width"], is_there: Tensor | None, before: Float[Tensor, "batch width"] | None
) -> Float[Tensor, "batch width"]:
    """The value where the row holds no padding, else what stood there before."""
    if is_there is None:
        return value
    return torch.where(is_there, value, torch.zeros_like(value) if before is None else before)
