"""The loop over time of a simple recurrent network, its gradients by hand: h_t = f(driven_t + U h_(t-1) + b).

U is rounded to autocast's type once in each direction, and its gradient is one product over all steps in its own type;
torch's kernel for a CPU rounds both at every step where autocast keeps no casts, as Lightning sets it. Left out: second
derivatives.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

FUNCTIONS = {"tanh": torch.tanh_, "relu": torch.relu_, "sigmoid": torch.sigmoid_}
SLOPES = {"tanh": lambda h: 1 - h * h, "relu": lambda h: (h > 0).to(h.dtype), "sigmoid": lambda h: h * (1 - h)}


class RnnSteps(torch.autograd.Function):
    """Driven steps, first state, U, b and f -> states in U's type; products are made in that of the driven steps."""

    @staticmethod
    def forward(
        ctx: Any,
        driven: Float[Tensor, "time batch dim"],
        hidden: Float[Tensor, "batch dim"],
        weight: Float[Tensor, "dim dim"],
        bias: Float[Tensor, " dim"],
        nonlinearity: str,
    ) -> Float[Tensor, "time batch dim"]:
        function, rounded = FUNCTIONS[nonlinearity], weight.to(driven.dtype).T
        states, before = driven.to(weight.dtype, copy=True).add_(bias), hidden
        for state in states.unbind():
            before = function(state.add_(torch.mm(before.to(driven.dtype), rounded)))
        ctx.save_for_backward(hidden, weight, states)
        ctx.dtype, ctx.nonlinearity = driven.dtype, nonlinearity
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "time batch dim"]) -> tuple[Tensor | None, ...]:
        hidden, weight, states = ctx.saved_tensors
        rounded, slopes = weight.to(ctx.dtype), SLOPES[ctx.nonlinearity](states)
        errors = torch.cat((torch.zeros_like(states[:1]), gradient))  # of the first state, then of f's arguments
        for error, slope, earlier in zip(
            *(reversed(x.unbind()) for x in (errors[1:], slopes, errors[:-1])), strict=True
        ):
            earlier.add_(torch.mm(error.mul_(slope).to(ctx.dtype), rounded))
        by_weight = errors[1:].flatten(0, 1).T @ torch.cat((hidden.to(weight.dtype)[None], states[:-1])).flatten(0, 1)
        return errors[1:].to(ctx.dtype), errors[0].to(hidden.dtype), by_weight, errors[1:].sum((0, 1)), None
