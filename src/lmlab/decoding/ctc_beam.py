"""The most probable transcript over all paths that spell it: prefix beam search (Graves et al. 2006; Hannun et al. 2014)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.types import Mistake

NOWHERE = -np.inf

Prefix = tuple[int, ...]


class CtcBeam:
    """The last symbol is the blank; without a language model.

    Args:
        width: prefixes that are kept after every state.
        floor: a symbol's log probability below which it does not lengthen a prefix.
    """

    reads = frozenset({"ctc"})

    def __init__(self, *, width: int, floor: float) -> None:
        if width < 1:
            raise Mistake(f"decoding.width={width} keeps no prefix; set it to 1 or more")
        self.width, self.floor = width, floor

    def __call__(
        self, log_probs: Float[Tensor, "batch time symbols"], lengths: Int[Tensor, "batch"]
    ) -> list[list[int]]:
        """The tokens of each recording, of its first `lengths` states."""
        scores = log_probs.double().cpu().numpy()
        return [self._search(one[:length]) for one, length in zip(scores, lengths.tolist(), strict=True)]

    def _search(self, scores: Float[np.ndarray, "time symbols"]) -> list[int]:
        blank = scores.shape[-1] - 1
        beam: dict[Prefix, tuple[float, float]] = {(): (0.0, NOWHERE)}  # by what a path ends in: a blank, or the symbol
        for row in scores:
            open_symbols = [int(one) for one in np.flatnonzero(row[:blank] >= self.floor)]
            beam = self._step(beam, row.tolist(), open_symbols)
            best = sorted(beam.items(), key=lambda one: -np.logaddexp(*one[1]))[: self.width]
            beam = dict(best)
        return list(max(beam.items(), key=lambda one: float(np.logaddexp(*one[1])))[0])

    def _step(
        self, beam: dict[Prefix, tuple[float, float]], row: Sequence[float], symbols: Sequence[int]
    ) -> dict[Prefix, tuple[float, float]]:
        after: dict[Prefix, tuple[float, float]] = {}

        def add(prefix: Prefix, *, blank: float = NOWHERE, symbol: float = NOWHERE) -> None:
            before = after.get(prefix, (NOWHERE, NOWHERE))
            after[prefix] = (float(np.logaddexp(before[0], blank)), float(np.logaddexp(before[1], symbol)))

        for prefix, (with_blank, with_symbol) in beam.items():
            either = float(np.logaddexp(with_blank, with_symbol))
            add(prefix, blank=either + row[-1])
            if prefix:
                add(prefix, symbol=with_symbol + row[prefix[-1]])
            for symbol in symbols:  # a symbol is said twice only where a blank stands between
                start = with_blank if prefix[-1:] == (symbol,) else either
                add((*prefix, symbol), symbol=start + row[symbol])
        return after
