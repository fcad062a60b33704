"""A place sees those nearer than a window: |query - key| < window (Beltagy et al. 2020, 3.1)."""

from jaxtyping import Bool, Int
from torch import Tensor

from lmlab.types import Mistake


class SlidingWindow:
    """Itself and window - 1 places before it (and as many behind it, in an encoder)."""

    def __init__(self, *, window: int) -> None:
        if window < 1:
            raise Mistake(f"model.pattern.window={window} leaves a place nothing to see; set it to 1 or more")
        self.window = window

    def kind(self, layer: int) -> int:
        return 0

    def allowed(
        self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"], kind: int
    ) -> Bool[Tensor, "rows query key"]:
        return (query[:, :, None] - key[:, None, :]).abs() < self.window
