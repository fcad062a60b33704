"""An LSTM whose gates see the memory cell, each unit its own (Gers and Schmidhuber 2000; Gers et al. 2002, eq. 1-5).

    i_t = sigmoid(W_i x_t + U_i h_(t-1) + p_i * c_(t-1) + b_i)
    f_t = sigmoid(W_f x_t + U_f h_(t-1) + p_f * c_(t-1) + b_f)
    c_t = f_t * c_(t-1) + i_t * tanh(W_c x_t + U_c h_(t-1) + b_c)
    o_t = sigmoid(W_o x_t + U_o h_(t-1) + p_o * c_t + b_o)
    h_t = o_t * tanh(c_t)

No fused kernel has peepholes: W x of all times is one product, the rest a loop. On one core of a CPU it trains at 0.6 of
model/cell=lstm's tokens/s (16 x 112 tokens, 256 and 512 wide: 16,700 of 29,800 and 4,400 of 7,300).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.cell.uncompiled import uncompiled


class PeepholeLstm(nn.Module):
    """One layer; its state is (hidden, memory cell). Weights are in the order of nn.LSTM's: i, f, c, o."""

    def __init__(self, *, input_dim: int, dim: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(4 * dim, input_dim))
        self.weight_hh = nn.Parameter(torch.empty(4 * dim, dim))
        self.bias = nn.Parameter(torch.empty(4 * dim))
        self.peephole = nn.Parameter(torch.empty(3, dim))  # to i, f, o
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(dim**-0.5), dim**-0.5)

    @uncompiled
    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        driven = nn.functional.linear(inputs, self.weight_ih, self.bias)
        empty = driven.new_zeros(driven.shape[0], self.weight_hh.shape[1])
        hidden, cell = (empty, empty) if state is None else state
        recurrent = self.weight_hh.T
        to_input, to_forget, to_output = self.peephole.unbind()
        states = []
        for step in driven.unbind(dim=1):
            enters, stays, new, leaves = torch.addmm(step, hidden, recurrent).chunk(4, dim=1)
            enters = torch.sigmoid(enters + to_input * cell)
            stays = torch.sigmoid(stays + to_forget * cell)
            cell = stays * cell + enters * torch.tanh(new)
            hidden = torch.sigmoid(leaves + to_output * cell) * torch.tanh(cell)
            states.append(hidden)
        return torch.stack(states, dim=1), (hidden, cell)
