"""Where the positions of a call stand: their places and documents, and what has to be remembered of them for the next.

Two rules, one for each kind of attention: one whose state holds every key is shown the whole row from its beginning, one
whose state is a sum only what is new, with the document that the sum belongs to.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from lmlab.model.mask import carried, places_in


class Timeline(NamedTuple):
    """The positions of a call as its layers see them; queries are the last of the keys."""

    query: Int[Tensor, "rows time"]
    """Places of the call's own positions."""
    key: Int[Tensor, "rows key"]
    """Places of all that a layer sees."""
    document: Int[Tensor, "batch key"] | None
    """Their documents; None where none was ever given: one row is one document."""
    before: Int[Tensor, " batch"] | None
    """The document that the state sums, where it is a sum."""
    seen: tuple[Tensor, ...]
    """What the next call has to know."""


def whole(
    document: Int[Tensor, "batch time"] | None,
    seen: tuple[Tensor, ...],
    *,
    time: int,
    offset: int,
    device: torch.device,
) -> Timeline:
    """For states that hold every key: the documents of this call behind those seen before, of which there are `offset`."""
    row = _row(document, seen, time, offset)
    places = torch.arange(offset + time, device=device)[None] if row is None else places_in(row)
    return Timeline(places[:, offset:], places, row, None, () if row is None else (row,))


def _row(
    document: Int[Tensor, "batch time"] | None, seen: tuple[Tensor, ...], time: int, offset: int
) -> Int[Tensor, "batch total"] | None:
    """A call without numbers is document 1."""
    if not seen and (document is None or offset == 0):
        return document
    known = seen[0] if document is None else document
    before = seen[0] if seen else known.new_ones(known.shape[0], offset)
    now = known.new_ones(known.shape[0], time) if document is None else document
    return torch.cat((before, now), dim=1)


def latest(
    document: Int[Tensor, "batch time"] | None, seen: tuple[Tensor, ...], *, batch: int, time: int, device: torch.device
) -> Timeline:
    """For states that are sums: how many places the last document had so far, and its number if there are numbers."""
    count = seen[0] if seen else torch.zeros(batch, dtype=torch.long, device=device)
    if document is None and len(seen) < 2:
        places = count[:, None] + torch.arange(time, device=device)
        return Timeline(places, places, None, None, (count + time,))
    number = seen[1] if len(seen) == 2 else torch.full_like(count, int(bool(seen)))  # a call without is document 1
    now = torch.ones(batch, time, dtype=torch.long, device=device) if document is None else document
    row = torch.cat((number[:, None], now), dim=1)
    filled = carried(row)[:, 1:]
    continues = (filled == number[:, None]).cumprod(1)
    places = places_in(row)[:, 1:] + continues * (count - 1).clamp(min=0)[:, None]
    return Timeline(places, places, now, number, (places[:, -1] + 1, filled[:, -1]))
