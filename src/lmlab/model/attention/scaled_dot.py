"""softmax(Q K^T / sqrt(head_dim)) V (Vaswani et al. 2017, eq. 1)."""

from lmlab.model.attention.dot import Dot


class ScaledDot(Dot):
    """Multi-head scaled dot-product attention."""

    def make_weights(self) -> None:
        self.scale = self.head_dim**-0.5
