"""h_t = f(W x_t + b + U h_(t-1) + c): the simple recurrent network (Elman 1990, with f the sigmoid)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.cell.fused import fused, zeros
from lmlab.model.cell.uncompiled import uncompiled
from lmlab.types import Mistake

KERNELS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


class Rnn(nn.Module):
    """One layer; tanh and relu by torch's fused kernel, sigmoid (which it lacks) by its formula."""

    def __init__(self, *, input_dim: int, dim: int, nonlinearity: str) -> None:
        super().__init__()
        if nonlinearity not in ("tanh", "relu", "sigmoid"):
            raise Mistake(f"model.cell.nonlinearity={nonlinearity} is unknown; set it to tanh, relu or sigmoid")
        self.kernel = KERNELS.get(nonlinearity)
        self.rnn = nn.RNN(input_dim, dim, batch_first=True, nonlinearity=nonlinearity if self.kernel else "tanh")

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        before = zeros(inputs, dim=self.rnn.hidden_size, parts=1) if state is None else state
        return self._sigmoid(inputs, before[0]) if self.kernel is None else fused(self.kernel, self.rnn, inputs, before)

    @uncompiled
    def _sigmoid(
        self, inputs: Float[Tensor, "batch time input_dim"], hidden: Float[Tensor, "batch dim"]
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        input_weight, recurrent_weight, input_bias, recurrent_bias = self.rnn.all_weights[0]
        driven = nn.functional.linear(inputs, input_weight, input_bias)  # W x_t + b, all at once
        states = []
        for step in driven.unbind(dim=1):
            recurrent = nn.functional.linear(hidden, recurrent_weight, recurrent_bias)
            hidden = torch.sigmoid(step + recurrent)
            states.append(hidden)
        return torch.stack(states, dim=1), (hidden,)
