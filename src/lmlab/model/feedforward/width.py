"""How wide a feed-forward is inside."""

from lmlab.types import Mistake

MULTIPLE = 8
"""Hidden widths are multiples of it, so that matrix kernels run full tiles (16 bytes of bf16)."""


def width(*, dim: int, expansion: float, hidden_dim: int | None) -> int:
    """hidden_dim if it is given, else the multiple of 8 that is nearest to expansion * dim."""
    if hidden_dim is not None:
        return hidden_dim
    if expansion <= 0:
        raise Mistake(f"model.feedforward.expansion={expansion} gives no width; set it above 0")
    return max(1, round(expansion * dim / MULTIPLE)) * MULTIPLE
