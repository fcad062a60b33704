"""What a masked model has to beat: the most frequent tokens, and a trigram that sees both sides (Kneser-Ney)."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Int, Integer

from lmlab.metric.baseline import MAX_TOKENS
from lmlab.metric.trigram import ORDER, Trigram

FILLED = 500
"""Places at which the trigram tries the whole vocabulary."""

MAX_TRIED = 4_000_000
"""Places times tokens to try."""


def masked_baselines(
    *,
    train: Integer[np.ndarray, "time"],
    held_out: Integer[np.ndarray, "held"],
    is_special: Bool[np.ndarray, "vocab"],
) -> dict[str, dict[str, float]]:
    """Figures on the held-out tokens that are not special, all of them; the trigram's on some, spread over the split.

    The unigram's `loss` is under (c(w) + 1) / (N + V). The trigram fills one place at a time: p(w|uv) p(x|vw) p(y|wx), of all
    tokens w between u v and x y, divided by their sum; its figures are held against those of pseudo-perplexity.
    """
    places = np.flatnonzero(~is_special[held_out])
    if not len(places):
        return {}
    counts = np.bincount(train, minlength=len(is_special))
    most = int(np.where(is_special, -1, counts).argmax())
    probability = (counts + 1) / (counts.sum() + len(counts))
    tokens = held_out[places]
    found = {
        "unigram": {
            "loss": float(-np.log(probability[tokens]).mean()),
            "accuracy": float((tokens == most).mean()),
        }
    }
    num = min(FILLED, len(places), MAX_TRIED // len(is_special))
    if num:
        chosen = places[np.linspace(0, len(places) - 1, num=num, dtype=np.int64)]
        loss, accuracy = _filled(train[-MAX_TOKENS:], held_out, chosen, is_special)
        found["trigram from both sides"] = {"pseudo_perplexity": math.exp(loss), "pseudo_accuracy": accuracy}
    return found


def _filled(
    train: Integer[np.ndarray, "time"],
    held_out: Integer[np.ndarray, "held"],
    places: Int[np.ndarray, "place"],
    is_special: Bool[np.ndarray, "vocab"],
) -> tuple[float, float]:
    """-log p in nats of the tokens at some places, given all others, and how often they are the likeliest."""
    size = len(is_special)
    eos = int(np.flatnonzero(is_special)[0])
    model = Trigram(ids=train, vocab_size=size, eos=eos)
    side = ORDER - 1
    padded = np.concatenate([np.full(side, eos), held_out, np.full(side, eos)]).astype(np.int64)
    tried = np.flatnonzero(~is_special)
    nll, right = 0.0, 0
    for place in places.tolist():
        around = np.tile(padded[place : place + 2 * side + 1], (len(tried), 1))
        around[:, side] = tried
        grams = [(around[:, offset : offset + 2], around[:, offset + 2]) for offset in range(side + 1)]
        score = np.sum([model.log_prob(context, last) for context, last in grams], axis=0)
        true = int(np.searchsorted(tried, held_out[place]))
        nll -= float(score[true] - np.logaddexp.reduce(score))
        right += int(score.argmax() == true)
    return nll / len(places), right / len(places)
