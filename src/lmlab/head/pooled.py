"""From one vector per example to the logits of its classes."""

from jaxtyping import Float
from torch import Tensor, nn


class Pooled(nn.Module):
    """Dropout and a linear map behind what a subclass makes of an example's states.

    Args:
        dim: of the states.
        num_classes: logits of an example.
        dropout: of the pooled vector (Kim 2014, 2.1; Devlin et al. 2019).
    """

    def __init__(self, *, dim: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, num_classes)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def pool(self, states: Tensor, is_real: Tensor) -> Tensor:
        """States [batch, time, dim] and where there is no padding [batch, time] -> [batch, dim]."""
        raise NotImplementedError

    def forward(self, states: Float[Tensor, "batch time dim"], is_real: Tensor) -> Float[Tensor, "batch classes"]:
        logits: Tensor = self.output(self.dropout(self.pool(states, is_real)))
        return logits
