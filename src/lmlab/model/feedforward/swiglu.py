"""(silu(x W) * x V) W2 (Shazeer 2020, eq. 6)."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.model.feedforward.width import share, width


class Swiglu(nn.Module):
    """A gated feed-forward; W and V are one projection."""

    def __init__(self, *, dim: int, expansion: float, hidden_dim: int | None, bias: bool) -> None:
        super().__init__()
        hidden = width(dim=dim, expansion=expansion, hidden_dim=hidden_dim)
        self.input = nn.Linear(dim, 2 * hidden, bias=bias)
        self.output = nn.Linear(hidden, dim, bias=bias)

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """Makes itself one rank's share of the hidden units, as `Cuttable` says."""
        return "input", share(self.input, parts=2, ranks=ranks)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        gate, value = self.input(states).chunk(2, dim=-1)
        outputs: Tensor = self.output(F.silu(gate) * value)
        return outputs
