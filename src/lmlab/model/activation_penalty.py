"""What large and fast-moving activations cost: AR and TAR (Merity et al. 2017, eq. 6-7; 2018, 4.6).

As in the authors' code, L2 is the mean square: AR of the last layer's states after dropout, TAR of the differences of
those before it. Padding does not count, nor does a step from one document to the next.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class ActivationPenalty(nn.Module):
    """Two auxiliary losses, weighted; none in evaluation."""

    def __init__(self, *, activation: float, temporal: float) -> None:
        super().__init__()
        self.activation = activation
        self.temporal = temporal

    def forward(
        self,
        states: Float[Tensor, "batch time dim"],
        dropped: Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None,
    ) -> dict[str, Tensor]:
        found = {}
        if self.training and self.activation:
            is_real = None if document is None else document != 0
            found["activation"] = self.activation * mean_square(dropped, is_real)
        if self.training and self.temporal:
            within = None if document is None else (document[:, 1:] != 0) & (document[:, 1:] == document[:, :-1])
            found["temporal"] = self.temporal * mean_square(states[:, 1:] - states[:, :-1], within)
        return found


def mean_square(values: Float[Tensor, "batch time dim"], counted: Bool[Tensor, "batch time"] | None) -> Tensor:
    """Over the positions that count; 0 where none does."""
    squares = values.float().square().mean(-1)
    if counted is None:
        return squares.sum() / max(1, squares.numel())
    return (squares * counted).sum() / counted.sum().clamp(min=1)
