"""The gated recurrent unit, with a reset and an update gate (Cho et al. 2014, eq. 5-8)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.cell.fused import fused, rounds_at_every_step, zeros
from lmlab.model.cell.gru_steps import GruSteps
from lmlab.model.cell.uncompiled import uncompiled


class Gru(nn.Module):
    """One layer by torch's fused kernel; under autocast on a CPU, where it is none, by GruSteps."""

    def __init__(self, *, input_dim: int, dim: int) -> None:
        super().__init__()
        self.gru = nn.GRU(input_dim, dim, batch_first=True)

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        before = zeros(inputs, dim=self.gru.hidden_size, parts=1) if state is None else state
        if rounds_at_every_step(inputs):
            return self._by_steps(inputs, before[0])
        return fused(torch.gru, self.gru, inputs, before)

    @uncompiled
    def _by_steps(
        self, inputs: Float[Tensor, "batch time input_dim"], hidden: Float[Tensor, "batch dim"]
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        input_weight, weight, input_bias, bias = self.gru.all_weights[0]
        driven = nn.functional.linear(inputs.transpose(0, 1), input_weight, input_bias)  # W x_t + b, all at once
        states: Tensor = GruSteps.apply(driven, hidden, weight, bias)  # type: ignore[no-untyped-call]
        states = states.to(torch.promote_types(hidden.dtype, driven.dtype))  # as the kernel's
        return states.transpose(0, 1), (states[-1].clone(),)
