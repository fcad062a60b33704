"""activation(x W1 + b1) W2 + b2 at each position (Vaswani et al. 2017, eq. 2)."""

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.feedforward.width import share, width


class Mlp(nn.Module):
    """Two linear maps with an activation between them."""

    def __init__(
        self, *, dim: int, activation: nn.Module, expansion: float, hidden_dim: int | None, bias: bool
    ) -> None:
        super().__init__()
        hidden = width(dim=dim, expansion=expansion, hidden_dim=hidden_dim)
        self.input = nn.Linear(dim, hidden, bias=bias)
        self.activation = activation
        self.output = nn.Linear(hidden, dim, bias=bias)

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """Makes itself one rank's share of the hidden units, as `Cuttable` says."""
        return "input", share(self.input, parts=1, ranks=ranks)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        outputs: Tensor = self.output(self.activation(self.input(states)))
        return outputs
