"""log p(a transcript begins with g | recording), summed over all paths of CTC (Graves 2012, 7.5.3; Watanabe et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Paths(NamedTuple):
    """Of some texts, log p of the paths that spell each of them up to each state, by what they end in, [text, states + 1]."""

    blank: Tensor
    symbol: Tensor
    """The text's last symbol."""

    @property
    def either(self) -> Tensor:
        """Whatever they end in."""
        return torch.logaddexp(self.blank, self.symbol)


class CtcPrefix:
    """A beam search's score of the next token c of a text g: w (log p_ctc(gc...) - log p_ctc(g...)) + (1 - w) log p(c | g).

    Each call goes on from the texts of the call before.

    Args:
        log_probs: [batch, states, symbols], of which the last is the blank.
        lengths: states of each recording [batch].
        weight: w.
        eos: the token that ends a transcript.
    """

    def __init__(
        self,
        log_probs: Float[Tensor, "batch states symbols"],
        lengths: Int[Tensor, "batch"],
        *,
        weight: float,
        eos: int,
    ) -> None:
        self.weight, self.eos = weight, eos
        # Behind its end a recording goes on with blanks alone, which changes no sum.
        is_padding = torch.arange(log_probs.shape[1], device=log_probs.device) >= lengths[:, None]
        self.log_probs = log_probs.masked_fill(is_padding[..., None], -torch.inf)
        self.log_probs[..., -1] = log_probs[..., -1].masked_fill(is_padding, 0.0)
        self.places: dict[tuple[int, ...], int] = {}
        """(row, *text) -> its place in the call before."""
        self.paths: Paths
        self.begins: Tensor
        """log p of what begins with a text and one more token, [text, vocab], of the call before."""

    def __call__(
        self, log_probs: Float[Tensor, "text vocab"], texts: Int[Tensor, "text time"], rows: Sequence[int]
    ) -> Float[Tensor, "text vocab"]:
        """As `lmlab.decoding.beam.search` calls it."""
        keys = [(row, *text) for row, text in zip(rows, texts.tolist(), strict=True)]
        states = self.log_probs[torch.tensor(rows, device=texts.device)]
        if texts.shape[1] == 0:
            last, before = None, states.new_zeros(len(rows))
            self.paths = _empty(states)
        else:
            last = texts[:, -1]
            places = torch.tensor([self.places[key[:-1]] for key in keys], device=texts.device)
            before = self.begins[places, last]
            spelled = None if texts.shape[1] == 1 else texts[:, -2]
            self.paths = _longer(Paths(*(one[places] for one in self.paths)), spelled, last, states)
        self.places = {key: place for place, key in enumerate(keys)}
        self.begins = _begins(self.paths, last, states)
        self.begins[:, self.eos] = self.paths.either[:, -1]
        gained = (self.begins - before[:, None]).nan_to_num(nan=-torch.inf, neginf=-torch.inf)
        return self.weight * gained + (1 - self.weight) * log_probs


def _empty(states: Float[Tensor, "text states symbols"]) -> Paths:
    """Blanks alone spell the empty text."""
    blank = torch.nn.functional.pad(states[..., -1].cumsum(dim=1), (1, 0))
    return Paths(blank, torch.full_like(blank, -torch.inf))


def _begins(
    paths: Paths, last: Int[Tensor, "text"] | None, states: Float[Tensor, "text states symbols"]
) -> Float[Tensor, "text vocab"]:
    """Summed over the state at which the new token is first said; the last one again only where a blank stands between."""
    found: Tensor = torch.logsumexp(paths.either[:, :-1, None] + states[..., :-1], dim=1)
    if last is None:
        return found
    again = torch.logsumexp(paths.blank[:, :-1] + _said(states, last), dim=1)
    return found.scatter(1, last[:, None], again[:, None])


def _longer(
    paths: Paths,
    before: Int[Tensor, "text"] | None,
    last: Int[Tensor, "text"],
    states: Float[Tensor, "text states symbols"],
) -> Paths:
    """Of the texts with one more token, `last`, behind `before`."""
    starts = paths.either
    if before is not None:
        starts = torch.where((before == last)[:, None], paths.blank, starts)
    said, pause = _said(states, last), states[..., -1]
    blank = [torch.full_like(said[:, 0], -torch.inf)]
    symbol = [blank[0]]
    for place in range(states.shape[1]):
        either = torch.logaddexp(blank[-1], symbol[-1])
        symbol.append(torch.logaddexp(symbol[-1], starts[:, place]) + said[:, place])
        blank.append(either + pause[:, place])
    return Paths(torch.stack(blank, dim=1), torch.stack(symbol, dim=1))


def _said(states: Float[Tensor, "text states symbols"], tokens: Int[Tensor, "text"]) -> Float[Tensor, "text states"]:
    """log p of each text's token at each state."""
    return states.gather(2, tokens[:, None, None].expand(-1, states.shape[1], 1))[..., 0]
