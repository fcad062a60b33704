"""Classes from a weighted mean of the states: softmax(u^T tanh(W h + b)) (Yang et al. 2016, equations 5 to 7)."""

from torch import Tensor, nn

from lmlab.head.pooled import Pooled


class AttentionPooling(Pooled):
    """See Pooled."""

    def __init__(self, *, dim: int, num_classes: int, dropout: float) -> None:
        super().__init__(dim=dim, num_classes=num_classes, dropout=dropout)
        self.hidden, self.score = nn.Linear(dim, dim), nn.Linear(dim, 1, bias=False)

    def pool(self, states: Tensor, is_real: Tensor) -> Tensor:
        scores = self.score(self.hidden(states).tanh()).squeeze(-1).float()
        weights = scores.masked_fill(~is_real, float("-inf")).softmax(dim=1)
        pooled: Tensor = (states * weights[..., None].to(states.dtype)).sum(dim=1)
        return pooled
