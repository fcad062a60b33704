"""What a filter reads at each place: places of the same document, padding passed over, zeros beyond the document's ends.

The rows come with their padding moved to their ends, so that what a tap reads is a fixed number of places away.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor


class Rows(NamedTuple):
    """The documents of rows whose padding stands at their ends."""

    number: Int[Tensor, "batch time"]
    order: Int[Tensor, "batch time"]
    """Where each of these places stood."""
    length: Int[Tensor, " batch"]
    """Places that are no padding."""
    before: Int[Tensor, " batch"]
    """The document that a state is of, 0 where there is none."""

    @property
    def last(self) -> Int[Tensor, " batch"]:
        """The document that is left open at the end."""
        found = self.number.gather(1, (self.length - 1).clamp(min=0)[:, None])[:, 0]
        return torch.where(self.length > 0, found, self.before)

    def around(self, back: int, on: int) -> Int[Tensor, "batch wide"]:
        """The numbers with those of the state's places before them, and of no document after them."""
        after = self.number.new_zeros(len(self.number), on)
        return torch.cat((self.before[:, None].expand(-1, back), self.number, after), dim=1)

    def pack(self, values: Num[Tensor, "batch time *dim"]) -> Num[Tensor, "batch time *dim"]:
        """Padding moved to the end."""
        return along_time(values, self.order)

    def unpack(self, values: Num[Tensor, "batch time *dim"]) -> Num[Tensor, "batch time *dim"]:
        """Everything back to where it stood."""
        return along_time(values, self.order.argsort(dim=1))


def rows_of(document: Int[Tensor, "batch time"], before: Int[Tensor, " batch"] | None) -> Rows:
    """The documents of a call; `before` is the one that the call before left open."""
    is_padding = document == 0
    order = is_padding.long().argsort(dim=1, stable=True)
    before = torch.zeros_like(document[:, 0]) if before is None else before
    return Rows(document.gather(1, order), order, (~is_padding).sum(dim=1), before)


def taps(
    values: Num[Tensor, "batch time *dim"],
    shifts: Sequence[int],
    rows: Rows | None,
    state: Num[Tensor, "batch back *dim"] | None = None,
) -> list[Num[Tensor, "batch time *dim"]]:
    """For each shift the values of so many places further on (negative: back); rows None: all is one document."""
    time, back, on = values.shape[1], max(0, -min(shifts)), max(0, *shifts)
    edge = values.new_zeros(1, 1, *values.shape[2:])
    before = edge.expand(len(values), back, *values.shape[2:]) if state is None else state
    wide = torch.cat((before, values, edge.expand(len(values), on, *values.shape[2:])), dim=1)
    found = [wide[:, back + shift : back + shift + time] for shift in shifts]
    if rows is None:
        return found
    return [torch.where(_fit(own, tap), tap, 0) for own, tap in zip(within(shifts, rows), found, strict=True)]


def within(shifts: Sequence[int], rows: Rows) -> list[Bool[Tensor, "batch time"]]:
    """For each shift, whether the place that is so far away is of the same document."""
    time, back = rows.number.shape[1], max(0, -min(shifts))
    wide = rows.around(back, max(0, *shifts))
    return [wide[:, back + shift : back + shift + time] == rows.number for shift in shifts]


def remembered(
    values: Float[Tensor, "batch time dim"],
    back: int,
    rows: Rows | None,
    state: Float[Tensor, "batch back dim"] | None,
) -> Float[Tensor, "batch back dim"]:
    """The values of the last places, as many as taps reach back, for the next call; zeros where they are of another document."""
    before = values.new_zeros(len(values), back, values.shape[2]) if state is None else state
    wide = torch.cat((before, values), dim=1)
    if rows is None:
        return wide[:, values.shape[1] :]
    index = rows.length[:, None] + torch.arange(back, device=values.device)
    is_open = rows.around(back, 0).gather(1, index) == rows.last[:, None]
    return torch.where(is_open[..., None], along_time(wide, index), 0)


def along_time(
    values: Num[Tensor, "batch time *dim"], index: Int[Tensor, "batch chosen"]
) -> Num[Tensor, "batch chosen *dim"]:
    """The values at these places of each row."""
    return torch.take_along_dim(values, _fit(index, values), dim=1)


def _fit(index: Tensor, values: Tensor) -> Tensor:
    """[batch, time] with as many axes as the values have."""
    return index.reshape(*index.shape, *[1] * (values.ndim - 2))
