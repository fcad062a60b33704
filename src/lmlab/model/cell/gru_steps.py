"""The loop over time of a gated recurrent unit, its gradients by hand, in nn.GRU's order of gates r, z, n.

    r_t, z_t = sigmoid(driven_t + U h_(t-1) + b)
    m_t = U h_(t-1) + b
    n_t = tanh(driven_t + r_t * m_t)
    h_t = n_t + z_t * (h_(t-1) - n_t)

U is rounded to autocast's type once in each direction, and its gradient is one product over all steps in its own type;
torch's kernel for a CPU rounds both at every step where autocast keeps no casts, as Lightning sets it. Left out: second
derivatives.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

sigmoid_backward, tanh_backward = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward


class GruSteps(torch.autograd.Function):
    """Driven steps, first state, U and b -> states in U's type; products are made in that of the driven steps."""

    @staticmethod
    def forward(
        ctx: Any,
        driven: Float[Tensor, "time batch gates"],
        hidden: Float[Tensor, "batch dim"],
        weight: Float[Tensor, "gates dim"],
        bias: Float[Tensor, " gates"],
    ) -> Float[Tensor, "time batch dim"]:
        dim, rounded = weight.shape[1], weight.to(driven.dtype).T
        gates = driven.to(weight.dtype, copy=True).add_(bias)
        opening, recurrent = gates[..., : 2 * dim], gates[..., 2 * dim :]
        recurrent.copy_(bias[2 * dim :])
        new = driven[..., 2 * dim :].to(weight.dtype, copy=True)
        states, before = torch.empty_like(new), hidden.to(weight.dtype)
        parts = (gates, opening, *opening.chunk(2, dim=2), recurrent, new, states)
        for gate, opens, r, z, m, n, state in zip(*map(torch.unbind, parts), strict=True):
            gate.add_(torch.mm(before.to(driven.dtype), rounded))
            opens.sigmoid_()
            n.addcmul_(r, m).tanh_()
            before = torch.lerp(n, before, z, out=state)
        ctx.save_for_backward(hidden, weight, gates, new, states)
        ctx.dtype = driven.dtype
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "time batch dim"]) -> tuple[Tensor, ...]:
        hidden, weight, gates, new, states = ctx.saved_tensors
        before = torch.cat((hidden.to(weight.dtype)[None], states[:-1]))
        errors, by_new = _slopes(gates, new, before)
        changes, rounded = torch.cat((torch.zeros_like(before[:1]), gradient)), weight.to(ctx.dtype)
        parts = (errors, gates.chunk(3, dim=2)[1], changes[1:], changes[:-1])
        for error, z, change, earlier in zip(*(reversed(part.unbind()) for part in parts), strict=True):
            error.mul_(change[:, None])
            earlier.addcmul_(change, z).add_(torch.mm(error.flatten(1).to(ctx.dtype), rounded))
        by_weight = errors.flatten(2).flatten(0, 1).T @ before.flatten(0, 1)
        by_bias = errors.sum((0, 1)).flatten()
        errors[:, :, 2] = by_new.mul_(changes[1:])
        return errors.flatten(2).to(ctx.dtype), changes[0].to(hidden.dtype), by_weight, by_bias


def _slopes(
    gates: Float[Tensor, "time batch gates"],
    new: Float[Tensor, "time batch dim"],
    before: Float[Tensor, "time batch dim"],
) -> tuple[Float[Tensor, "time batch 3 dim"], Float[Tensor, "time batch dim"]]:
    """What h_t changes by with the recurrent part of each gate's argument, and with all of n_t's."""
    reset, update, recurrent = gates.chunk(3, dim=2)
    slopes = gates.new_empty(*gates.shape[:2], 3, new.shape[2])
    by_new = tanh_backward(1 - update, new)
    sigmoid_backward(by_new * recurrent, reset, grad_input=slopes[:, :, 0])
    sigmoid_backward(before - new, update, grad_input=slopes[:, :, 1])
    torch.mul(by_new, reset, out=slopes[:, :, 2])
    return slopes, by_new
