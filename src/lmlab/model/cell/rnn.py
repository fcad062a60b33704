"""h_t = f(W x_t + b + U h_(t-1) + c): the simple recurrent network (Elman 1990, with f the sigmoid)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.cell.fused import fused, rounds_at_every_step, zeros
from lmlab.model.cell.rnn_steps import RnnSteps
from lmlab.model.cell.uncompiled import uncompiled
from lmlab.types import Mistake

KERNELS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


class Rnn(nn.Module):
    """One layer; tanh and relu by torch's fused kernel, and by RnnSteps what it lacks: sigmoid, and autocast on a CPU."""

    def __init__(self, *, input_dim: int, dim: int, nonlinearity: str) -> None:
        super().__init__()
        if nonlinearity not in ("tanh", "relu", "sigmoid"):
            raise Mistake(f"model.cell.nonlinearity={nonlinearity} is unknown; set it to tanh, relu or sigmoid")
        self.nonlinearity = nonlinearity
        self.kernel = KERNELS.get(nonlinearity)
        self.rnn = nn.RNN(input_dim, dim, batch_first=True, nonlinearity=nonlinearity if self.kernel else "tanh")

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        before = zeros(inputs, dim=self.rnn.hidden_size, parts=1) if state is None else state
        if self.kernel is None or rounds_at_every_step(inputs):
            return self._by_steps(inputs, before[0])
        return fused(self.kernel, self.rnn, inputs, before)

    @uncompiled
    def _by_steps(
        self, inputs: Float[Tensor, "batch time input_dim"], hidden: Float[Tensor, "batch dim"]
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        input_weight, weight, input_bias, bias = self.rnn.all_weights[0]
        driven = nn.functional.linear(inputs.transpose(0, 1), input_weight, input_bias)  # W x_t + b, all at once
        states: Tensor = RnnSteps.apply(driven, hidden, weight, bias, self.nonlinearity)  # type: ignore[no-untyped-call]
        states = states.to(driven.dtype)  # as the kernel's
        return states.transpose(0, 1), (states[-1].clone(),)
