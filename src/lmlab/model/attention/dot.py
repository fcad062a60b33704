"""softmax(Q K^T) V: the unscaled score (Luong et al. 2015, eq. 8, dot; compared in Vaswani et al. 2017, 3.2.1)."""

from lmlab.model.attention.dot_product import DotProduct


class Dot(DotProduct):
    """Multi-head dot-product attention without a scale."""
