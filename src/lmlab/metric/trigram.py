"""Trigram model with interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999, eq. 9-11).

    p(w|uv) = max(c(uvw) - D, 0) / c(uv*) + D N(uv*) / c(uv*) p(w|v)

N counts different successors. In the orders below, c(vw) is the number of different u before vw; the last is uniform.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Integer

ORDER = 3


class Trigram:
    """Counts of a text's n-grams, vectorised: a million tokens take about a second."""

    def __init__(self, *, ids: Integer[np.ndarray, "time"], vocab_size: int, eos: int) -> None:
        self._vocab_size = vocab_size
        padded = np.concatenate([np.full(ORDER - 1, eos, dtype=np.int64), ids.astype(np.int64)])
        grams, counts = np.unique(_grams(padded, vocab_size), return_counts=True)
        self._levels = []
        for order in range(ORDER, 0, -1):
            self._levels.append(_Level(grams, counts, vocab_size))
            # Without its first word, a gram is counted once for each different first word.
            grams, counts = np.unique(grams % vocab_size ** (order - 1), return_counts=True)

    def log_prob(
        self, context: Int[np.ndarray, "time two"], word: Int[np.ndarray, "time"]
    ) -> Float[np.ndarray, "time"]:
        """Log-probability in nats of each word after its two words of context."""
        probability = np.full(len(word), 1 / self._vocab_size)
        gram, scale = word.astype(np.int64), 1
        for distance, level in enumerate(reversed(self._levels)):
            if distance:
                scale *= self._vocab_size
                gram = gram + context[:, -distance] * scale
            probability = level.interpolate(gram, probability)
        result: np.ndarray = np.log(probability)
        return result

    def loss(self, ids: Integer[np.ndarray, "time"], eos: int) -> float:
        """Nats per token of a text that follows `<eos>`."""
        padded = np.concatenate([np.full(ORDER - 1, eos, dtype=np.int64), ids.astype(np.int64)])
        context = np.stack([padded[:-2], padded[1:-1]], axis=1)
        return float(-self.log_prob(context, padded[2:]).mean())


class _Level:
    """The n-grams of one order as sorted numbers, and what each context has in all."""

    def __init__(self, grams: np.ndarray, counts: np.ndarray, vocab_size: int) -> None:
        self._vocab_size, self._grams, self._counts = vocab_size, grams, counts
        self._contexts, first, self._successors = np.unique(grams // vocab_size, return_index=True, return_counts=True)
        self._totals = np.add.reduceat(counts, first)
        self._discount = _discount(counts)

    def interpolate(self, gram: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """This order's probability, given that of the order below; an unseen context leaves it as it is."""
        count = _look_up(self._grams, self._counts, gram)
        total = _look_up(self._contexts, self._totals, gram // self._vocab_size)
        successors = _look_up(self._contexts, self._successors, gram // self._vocab_size)
        seen = np.maximum(total, 1)
        mixed = (np.maximum(count - self._discount, 0) + self._discount * successors * lower) / seen
        result: np.ndarray = np.where(total > 0, mixed, lower)
        return result


def _grams(ids: np.ndarray, vocab_size: int) -> np.ndarray:
    """Each trigram as one number, the last word in the lowest place."""
    assert vocab_size**ORDER < 2**63, f"{vocab_size} words cubed do not fit into 64 bits"
    grams: np.ndarray = (ids[:-2] * vocab_size + ids[1:-1]) * vocab_size + ids[2:]
    return grams


def _discount(counts: np.ndarray) -> float:
    """n1 / (n1 + 2 n2), which maximises the leaving-one-out likelihood; a half where a text is too small to tell."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once and twice else 0.5


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: np.ndarray = np.where(keys[place] == wanted, values[place], 0)
    return found
