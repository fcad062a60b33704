"""A recurrent cell over rows of several documents and padding, exact and with fused kernels.

The time axis is cut wherever any row's document number changes. Within a piece each row is one document or padding, so
that the cell runs over it whole; between pieces the state is cleared in rows where a document starts, and in rows of
padding it stays what it was.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmlab.types import Cell


class Segment(NamedTuple):
    """One piece of the time axis."""

    start: int
    end: int
    is_first: Bool[Tensor, "batch 1"]
    """Rows where a document starts."""
    is_real: Bool[Tensor, "batch 1"]
    """Rows that are no padding."""


def cut(
    document: Int[Tensor, "batch time"], last: Int[Tensor, " batch"] | None
) -> tuple[list[Segment], Int[Tensor, " batch"]]:
    """The pieces, and each row's last document number, padding aside; `last` is that of the call before."""
    changes = (document[:, 1:] != document[:, :-1]).any(dim=0).nonzero()[:, 0] + 1
    edges = [0, *changes.tolist(), document.shape[1]]
    current = torch.zeros_like(document[:, 0]) if last is None else last
    segments = []
    for start, end in pairwise(edges):
        number = document[:, start]
        is_real = number != 0
        segments.append(Segment(start, end, (is_real & (number != current))[:, None], is_real[:, None]))
        current = torch.where(is_real, number, current)
    return segments, current


def run(
    cell: Cell,
    inputs: Float[Tensor, "batch time input_dim"],
    segments: list[Segment] | None,
    state: tuple[Tensor, ...] | None,
) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
    """The cell's states and its last state; with no segments, one call of the cell."""
    if segments is None:
        return cell(inputs, state)
    pieces = []
    for segment in segments:
        if state is not None:
            state = tuple(part.masked_fill(segment.is_first, 0.0) for part in state)
        states, after = cell(inputs[:, segment.start : segment.end], state)
        before = tuple(torch.zeros_like(part) for part in after) if state is None else state
        state = tuple(torch.where(segment.is_real, new, old) for new, old in zip(after, before, strict=True))
        pieces.append(states)
    assert state is not None, "a sequence has at least one position"
    return torch.cat(pieces, dim=1), state
