"""softmax(Q K^T / sqrt(head_dim)) V (Vaswani et al. 2017, eq. 1)."""

from typing import Any

from lmlab.model.attention.dot_product import DotProduct


class ScaledDot(DotProduct):
    """Multi-head scaled dot-product attention."""

    def __init__(self, **keys: Any) -> None:
        super().__init__(**keys)
        self.scale = self.head_dim**-0.5
