"""Every place sees every place, as far as causality and documents allow (Vaswani et al. 2017, 3.2)."""

from jaxtyping import Int
from torch import Tensor


class Full:
    """No pattern."""

    def kind(self, layer: int) -> int:
        return 0

    def allowed(
        self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"], kind: int
    ) -> None:  # None: everywhere, and no tensor is built
        return None
