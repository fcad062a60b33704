"""How wide a mixer's heads are."""

from lmlab.types import Mistake


def head_width(*, dim: int, num_heads: int, expansion: float, key: str) -> int:
    """The whole number that is nearest to a head's share of expansion * dim."""
    if expansion <= 0:
        raise Mistake(f"model.mixer.{key}={expansion} gives no width; set it above 0")
    return max(1, round(expansion * dim / num_heads))


def positive(number: int, *, key: str, means: str) -> int:
    """The number, if it is one of something."""
    if number < 1:
        raise Mistake(f"model.mixer.{key}={number} leaves no {means}; set it to 1 or more")
    return number
