"""How the next token is chosen from its logits: greedy, or drawn after filters that each are a function on logits.

Temperature (Ackley et al. 1985), top-k (Fan et al. 2018), top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024),
repetition penalty (Keskar et al. 2019) and no repeated n-grams (Paulus et al. 2018) compose in any order:
`sample(scale(0.8), keep_top_p(0.95))`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.types import Mistake

Filter = Callable[[Tensor, Tensor], Tensor]
"""Logits [batch, vocab] and the ids so far [batch, time], -1 where there is padding -> logits [batch, vocab]."""


Chooser = Callable[
    [Float[Tensor, "batch vocab"], Int[Tensor, "batch time"], Float[Tensor, " batch"]], Int[Tensor, " batch"]
]
"""Logits, the ids so far, and one random number in [0, 1) per row, the only randomness there is -> a token per row."""


def chooser(
    *,
    temperature: float,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    no_repeat_ngram: int | None = None,
    eos: int | None = None,
    begin: int = 0,
) -> Chooser:
    """From what a user sets: penalty and n-grams, then temperature, top-k, top-p and min-p; temperature 0 is greedy.

    Args:
        eos: what ends a text, which no n-gram forbids.
        begin: the column from which n-grams count.
    """
    filters: list[Filter] = [] if repetition_penalty is None else [penalize_repetition(repetition_penalty)]
    filters += [] if no_repeat_ngram is None else [forbid_repeated(no_repeat_ngram, eos=eos, begin=begin)]
    if temperature == 0:
        return greedy(*filters)
    filters.append(scale(temperature))
    filters += [] if top_k is None else [keep_top_k(top_k)]
    filters += [] if top_p is None else [keep_top_p(top_p)]
    filters += [] if min_p is None else [keep_min_p(min_p)]
    return sample(*filters)


def greedy(*filters: Filter) -> Chooser:
    """The likeliest token; of equals the first."""

    def choose(logits: Tensor, previous: Tensor, uniform: Tensor) -> Tensor:
        return _filtered(logits, previous, filters).argmax(dim=-1)

    return choose


def sample(*filters: Filter) -> Chooser:
    """The first token at which the cumulative probability exceeds the row's random number."""

    def choose(logits: Tensor, previous: Tensor, uniform: Tensor) -> Tensor:
        probability = _filtered(logits.float(), previous, filters).softmax(dim=-1)
        cumulative = probability.cumsum(dim=-1)
        total = cumulative[:, -1]
        # Rounding can lift the product to the total itself, beyond the last token that has any probability.
        reached = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
        return torch.searchsorted(cumulative, reached[:, None], right=True)[:, 0]

    return choose


def scale(temperature: float) -> Filter:
    """logits / temperature"""
    if not temperature > 0:
        raise Mistake(f"temperature={temperature} is not above 0; set temperature=0 for greedy decoding, else above 0")
    return lambda logits, previous: logits / temperature


def keep_top_k(k: int) -> Filter:
    """The k likeliest tokens (Fan et al. 2018)."""
    if k < 1:
        raise Mistake(f"top_k={k} keeps no token; set top_k to 1 or more, or to null for all tokens")

    def keep(logits: Tensor, previous: Tensor) -> Tensor:
        values, indices = logits.topk(min(k, logits.shape[-1]), dim=-1)
        return torch.full_like(logits, -torch.inf).scatter(-1, indices, values)

    return keep


def keep_top_p(p: float) -> Filter:
    """The smallest set of likeliest tokens whose probability reaches p: the nucleus (Holtzman et al. 2020, eq. 2)."""
    if not 0 < p <= 1:
        raise Mistake(f"top_p={p} is no probability; set top_p above 0 and at most 1, or to null for all tokens")

    def keep(logits: Tensor, previous: Tensor) -> Tensor:
        values, indices = logits.sort(dim=-1, descending=True, stable=True)
        probability = values.softmax(dim=-1)
        before = probability.cumsum(dim=-1) - probability
        before[:, 0] = 0.0  # exact, so that the likeliest token always stays
        return torch.full_like(logits, -torch.inf).scatter(-1, indices, values.masked_fill(before >= p, -torch.inf))

    return keep


def keep_min_p(p: float) -> Filter:
    """Tokens of at least p times the probability of the likeliest (Nguyen et al. 2024, section 3)."""
    if not 0 < p <= 1:
        raise Mistake(f"min_p={p} is no share of a probability; set min_p above 0 and at most 1, or to null")

    def keep(logits: Tensor, previous: Tensor) -> Tensor:
        return logits.masked_fill(logits < logits.amax(dim=-1, keepdim=True) + math.log(p), -torch.inf)

    return keep


def penalize_repetition(penalty: float) -> Filter:
    """Logits of tokens that occurred before are divided by the penalty (Keskar et al. 2019, section 4.1: 1.2).

    Negative logits are multiplied by it, since dividing would make them likelier: the paper leaves the sign open.
    """
    if not penalty > 0:
        raise Mistake(f"repetition_penalty={penalty} is not above 0; set repetition_penalty to 1.2, or null")

    def penalize(logits: Tensor, previous: Tensor) -> Tensor:
        ids = torch.where(
            previous < 0, previous[:, -1:], previous
        )  # padding stands before text: one more time the last
        seen = logits.gather(-1, ids)
        return logits.scatter(-1, ids, torch.where(seen > 0, seen / penalty, seen * penalty))

    return penalize


def forbid_repeated(size: int, *, eos: int | None = None, begin: int = 0) -> Filter:
    """No n-gram of this size twice in a text (Paulus et al. 2018, section 2.5); where nothing else is left, any.

    Args:
        eos: may always end a text.
        begin: the column from which n-grams count; 0 counts those of the prompt.
    """
    if size < 1:
        raise Mistake(
            f"no_repeat_ngram={size} is no length; set no_repeat_ngram to 3, say, or to null for any repetition"
        )

    def forbid(logits: Tensor, previous: Tensor) -> Tensor:
        text, vocab = previous[:, begin:], logits.shape[-1]
        if text.shape[1] < size:
            return logits
        ngrams = text.unfold(1, size, 1)  # [batch, time - size + 1, size]
        context = text[:, None, text.shape[1] - size + 1 :]
        is_seen = ((ngrams[..., :-1] == context) & (context >= 0)).all(-1) & (ngrams[..., -1] >= 0)
        forbidden = torch.zeros(len(text), vocab + 1, dtype=torch.bool, device=logits.device)
        forbidden = forbidden.scatter(1, torch.where(is_seen, ngrams[..., -1], vocab), True)[:, :vocab]
        if eos is not None:
            forbidden[:, eos] = False
        return logits.masked_fill(forbidden & ~forbidden.all(dim=1, keepdim=True), -torch.inf)

    return forbid


def _filtered(logits: Tensor, previous: Tensor, filters: tuple[Filter, ...]) -> Tensor:
    for keep in filters:
        logits = keep(logits, previous)
    return logits
