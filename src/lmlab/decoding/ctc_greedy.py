"""The most probable symbol at every state, repeats made one and blanks taken out (Graves et al. 2006, section 3.2)."""

from itertools import groupby

from jaxtyping import Float, Int
from torch import Tensor


class CtcGreedy:
    """Best path decoding; the last symbol is the blank."""

    reads = frozenset({"ctc"})

    def __call__(
        self, log_probs: Float[Tensor, "batch time symbols"], lengths: Int[Tensor, "batch"]
    ) -> list[list[int]]:
        """The tokens of each recording, of its first `lengths` states."""
        blank = log_probs.shape[-1] - 1
        best = log_probs.argmax(dim=-1).tolist()
        return [
            [symbol for symbol, _ in groupby(path[:length]) if symbol != blank]
            for path, length in zip(best, lengths.tolist(), strict=True)
        ]
