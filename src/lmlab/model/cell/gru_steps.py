"""A gated recurrent unit's loop over time with its gradients by hand, in nn.GRU's order of gates r, z, n.

    r_t, z_t = sigmoid(driven_t + U h_(t-1) + b)
    m_t = U h_(t-1) + b
    n_t = tanh(driven_t + r_t * m_t)
    h_t = n_t + z_t * (h_(t-1) - n_t)

Torch's kernel for a CPU rounds U, and its gradient, at every step of autocast. Here U is rounded once in each direction,
and its gradient is one product over all steps.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

sigmoid_backward, tanh_backward = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward


class GruSteps(torch.autograd.Function):
    """driven [time, batch, gates], hidden [batch, dim], weight [gates, dim], bias -> states [time, batch, dim].

    Products are made in driven's type, all else in weight's; states have weight's.
    """

    @staticmethod
    def forward(
        ctx: Any,
        driven: Float[Tensor, "time batch gates"],
        hidden: Float[Tensor, "batch dim"],
        weight: Float[Tensor, "gates dim"],
        bias: Float[Tensor, " gates"],
    ) -> Float[Tensor, "time batch dim"]:
        dim = weight.shape[1]
        before, rounded = hidden.to(weight.dtype), weight.to(driven.dtype).T
        gates = torch.add(driven, bias)
        gates[..., 2 * dim :] = bias[2 * dim :]
        new = driven[..., 2 * dim :].to(weight.dtype, copy=True)
        states = torch.empty_like(new)
        product = driven.new_empty(driven.shape[1:])
        for gate, fresh, state in zip(gates.unbind(), new.unbind(), states.unbind(), strict=True):
            torch.mm(before.to(driven.dtype), rounded, out=product)
            gate.add_(product)
            reset, update, recurrent = gate.split(dim, dim=1)
            gate[:, : 2 * dim].sigmoid_()
            fresh.addcmul_(reset, recurrent).tanh_()
            before = torch.lerp(fresh, before, update, out=state)
        ctx.save_for_backward(hidden, weight, gates, new, states)
        ctx.type = driven.dtype
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        hidden, weight, gates, new, states = ctx.saved_tensors
        before = torch.cat((hidden[None].to(weight.dtype), states[:-1]))
        reset, update, recurrent = gates.chunk(3, dim=2)
        # what each gate's argument changes h_t by
        by_new = tanh_backward(1 - update, new)
        slopes = torch.empty_like(gates).unflatten(2, (3, -1))
        by_reset, by_update, by_recurrent = slopes.unbind(2)
        torch.mul(by_new, reset, out=by_recurrent)
        sigmoid_backward(by_new * recurrent, reset, grad_input=by_reset)
        sigmoid_backward(before - new, update, grad_input=by_update)

        flow = torch.cat((torch.zeros_like(hidden, dtype=weight.dtype)[None], gradients[0]))
        errors = gates.new_empty(gates.shape, dtype=ctx.type)
        rounded, product = weight.to(ctx.type), hidden.new_empty(hidden.shape, dtype=ctx.type)
        into = flow.unbind()
        for time in reversed(range(len(gates))):
            error = errors[time]
            error.view_as(slopes[time]).copy_(slopes[time] * into[time + 1][:, None])
            torch.mm(error, rounded, out=product)
            into[time].addcmul_(into[time + 1], update[time]).add_(product)
        flat = errors.flatten(0, 1)
        by_weight = (flat.T @ before.to(ctx.type).flatten(0, 1)).to(weight.dtype)
        by_bias = flat.sum(0, dtype=weight.dtype)
        torch.mul(flow[1:], by_new, out=by_new)
        errors[..., 2 * weight.shape[1]:] = by_new
        return errors, flow[0].to(hidden.dtype), by_weight, by_bias
