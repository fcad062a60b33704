"""Beam search: the likeliest texts among those that go on from the likeliest so far (Sutskever et al. 2014, section 3.2).

A text's score is log p(Y) / ((5 + |Y|) / 6)^alpha (Wu et al. 2016, eq. 14, without coverage); |Y| counts its `<eos>`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.decoding.feed import Feed, Head
from lmlab.decoding.sample import Filter, forbid_repeated
from lmlab.types import Memory, Mistake, SequenceModel

Rescore = Callable[[Tensor, Tensor, Sequence[int]], Tensor]
"""Log-probabilities of the next token [text, vocab], what each text has behind its prompt [text, time], and the row of the
prompt that each belongs to -> what is added to the text's score, at most 0 [text, vocab]."""


class Hypothesis(NamedTuple):
    """A text behind its prompt, and how good it is."""

    ids: list[int]
    """Without the `<eos>` that ended it."""
    score: float


@torch.inference_mode()
def search(
    model: SequenceModel,
    head: Head,
    prompt_ids: Int[Tensor, "batch time"],
    *,
    num_beams: int,
    max_tokens: int,
    eos: int | None,
    length_penalty: float = 0.0,
    num_best: int = 1,
    no_repeat_ngram: int | None = None,
    counts_prompt: bool = True,
    context_size: int | None = None,
    memory: Memory | None = None,
    document: Int[Tensor, "batch time"] | None = None,
    rescored: Rescore | None = None,
) -> list[list[Hypothesis]]:
    """The `num_best` best texts that are found for each row, the best first.

    A text that `max_tokens` cuts off is one among those that have ended. A row's search stops when no text that goes on
    can become better than the best that have ended, `num_best` of them. One beam without a penalty is greedy decoding.

    Args:
        num_beams: How many texts go on; one that has ended leaves its place to the next best.
        length_penalty: alpha; 0 compares log-probabilities as they are, more favours longer texts.
        counts_prompt: Whether an n-gram of the prompt may not be written either.
        context_size, memory, document: As `lmlab.decoding.loop.stream` takes them.
        rescored: What another model makes of the log-probabilities.
    """
    check(num_beams=num_beams, length_penalty=length_penalty, num_best=num_best)
    feed = Feed(
        model, head, prompt_ids, document, memory=memory, context_size=context_size, max_tokens=max_tokens
    )  # fmt: skip
    filters: list[Filter] = []
    if no_repeat_ngram is not None:
        begin = 0 if counts_prompt else prompt_ids.shape[1]
        filters.append(forbid_repeated(no_repeat_ngram, eos=eos, begin=begin))
    rankings = [Ranking(num_best, length_penalty) for _ in prompt_ids]
    rows = list(range(len(prompt_ids)))  # whose search goes on
    scores = prompt_ids.new_zeros(len(rows), 1, dtype=torch.float32)  # [row, beam]: at first the prompt alone
    for length in range(1, max_tokens + 1):
        texts = feed.ids[:, prompt_ids.shape[1] :]
        log_probs = feed.logits().float().log_softmax(dim=-1)
        if rescored is not None:
            log_probs = rescored(log_probs, texts, [row for row in rows for _ in range(scores.shape[1])])
        found = _candidates(feed.ids, log_probs, scores, filters, 2 * num_beams)  # at most half of them end
        going, beams = [], []
        for row, candidates in zip(rows, found, strict=True):
            ranking, running = rankings[row], [one for one in candidates if one.token != eos][:num_beams]
            for one in candidates[:num_beams]:
                if one.token == eos or length == max_tokens:
                    ranking.add(one, texts, length, eos)
            if length < max_tokens and running and not ranking.is_out_of_reach(running[0].log_prob, max_tokens):
                going.append(row)
                beams.append(running)
        if not going:
            break
        scores = _go_on(feed, beams, has_all_rows=len(going) == len(rows))
        rows = going
    return [ranking.best for ranking in rankings]


class Candidate(NamedTuple):
    """A text of the step before with one more token."""

    log_prob: float
    text: int
    """Its row in the Feed."""
    token: int


class Ranking:
    """The best texts of one row among those that have ended."""

    def __init__(self, size: int, length_penalty: float) -> None:
        self.size, self.length_penalty = size, length_penalty
        self.best: list[Hypothesis] = []

    def score(self, log_prob: float, length: int) -> float:
        penalty: float = ((5 + length) / 6) ** self.length_penalty
        return log_prob / penalty

    def add(self, candidate: Candidate, texts: Int[Tensor, "text time"], length: int, eos: int | None) -> None:
        """Of equals the first that was found stands first."""
        score = self.score(candidate.log_prob, length)
        if len(self.best) == self.size and score <= self.best[-1].score:
            return
        ids = texts[candidate.text].tolist() + ([] if candidate.token == eos else [candidate.token])
        self.best = sorted([*self.best, Hypothesis(ids, score)], key=lambda one: -one.score)[: self.size]

    def is_out_of_reach(self, log_prob: float, max_tokens: int) -> bool:
        """Whether no text that begins with this log-probability can get in: it only falls, and its divisor only grows."""
        return len(self.best) == self.size and self.best[-1].score >= self.score(log_prob, max_tokens)


def _candidates(
    ids: Int[Tensor, "text time"],
    log_probs: Float[Tensor, "text vocab"],
    scores: Float[Tensor, "row beam"],
    filters: list[Filter],
    num: int,
) -> list[list[Candidate]]:
    """For each row the likeliest texts with one more token, the best first; none without any probability."""
    rows, beams = scores.shape
    for keep in filters:
        log_probs = keep(log_probs, ids)
    vocab = log_probs.shape[-1]
    all_of_row = (scores[:, :, None] + log_probs.view(rows, beams, vocab)).flatten(1)
    values, indices = all_of_row.topk(min(num, beams * vocab), dim=1)
    return [
        [
            Candidate(value, row * beams + index // vocab, index % vocab)
            for value, index in zip(*of_row, strict=True)
            if value > -torch.inf
        ]
        for row, of_row in enumerate(zip(values.tolist(), indices.tolist(), strict=True))
    ]


def _go_on(feed: Feed, beams: list[list[Candidate]], *, has_all_rows: bool) -> Float[Tensor, "row beam"]:
    """The Feed holds these texts; a row that has fewer than others is filled up with ones of no probability."""
    num = max(map(len, beams))
    filled = [[*of_row, *[of_row[0]._replace(log_prob=-torch.inf)] * (num - len(of_row))] for of_row in beams]
    flat = [one for of_row in filled for one in of_row]
    device = feed.ids.device
    texts = torch.tensor([one.text for one in flat], device=device)
    if has_all_rows and len(flat) == len(feed.ids):  # so that every text stays beside the same memory
        feed.reorder(texts)
    else:
        feed.choose(texts)
    feed.append(torch.tensor([one.token for one in flat], device=device))
    return torch.tensor([[one.log_prob for one in of_row] for of_row in filled], dtype=torch.float32, device=device)


def check(*, num_beams: int, length_penalty: float, num_best: int) -> None:
    """Refuses what no search can do."""
    if num_beams < 1:
        raise Mistake(f"num_beams={num_beams} leaves no text; set num_beams to 1 or more")
    if length_penalty < 0:
        raise Mistake(f"length_penalty={length_penalty} would favour short texts; set length_penalty to 0.0 or more")
    if not 1 <= num_best <= num_beams:
        raise Mistake(f"num_best={num_best} is not between 1 and num_beams={num_beams}; change one of the two")
