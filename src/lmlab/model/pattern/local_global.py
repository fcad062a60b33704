"""Layers that see a window, and every n-th that sees everything (Beltagy et al. 2020, 3.1; Gemma Team 2024, section 2)."""

from jaxtyping import Bool, Int
from torch import Tensor

from lmlab.model.pattern.sliding_window import SlidingWindow
from lmlab.types import Mistake


class LocalGlobal:
    """Of `every` layers in a row the last is global, the others are local."""

    def __init__(self, *, window: int, every: int) -> None:
        if every < 2:
            raise Mistake(
                f"model.pattern.every={every} leaves no layer a window; set it to 2 or more, or model/pattern=full"
            )
        self.local, self.every = SlidingWindow(window=window), every

    def kind(self, layer: int) -> int:
        return int(layer % self.every == self.every - 1)

    def allowed(
        self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"], kind: int
    ) -> Bool[Tensor, "rows query key"] | None:
        return None if kind else self.local.allowed(query, key, kind)
