"""Documents and padding as a recurrence reads them: padding moved to the end, and where each document starts."""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from lmlab.types import Course


class Reading(NamedTuple):
    """One call's positions, those of each row that are no padding first: so neighbours in time are neighbours."""

    order: Int[Tensor, "batch time"]
    """Which position stands at each place."""
    document: Int[Tensor, "batch time"]
    """The document numbers in this order."""
    last: Int[Tensor, " batch"]
    """Each row's last document, padding aside; 0 where there was none yet."""
    forward: Course
    backward: Course
    """Of the time axis reversed."""

    def arranged(self, values: Tensor) -> Tensor:
        """[batch, time, ...] in this order."""
        return _along(values, self.order, axis=1)

    def restored(self, values: Tensor, *, axis: int = 1) -> Tensor:
        """What was computed in this order, with `axis` the time, in the order of the call."""
        return _along(values, self.order.argsort(dim=1), axis=axis)


def reading_of(document: Int[Tensor, "batch time"], last: Int[Tensor, " batch"] | None) -> Reading:
    """`last` is that of the call before."""
    before = torch.zeros_like(document[:, 0]) if last is None else last
    order = (document == 0).long().argsort(dim=1, stable=True)
    number = document.gather(1, order)
    count = (number != 0).sum(dim=1, keepdim=True)
    end = torch.cat((before[:, None], number), dim=1).gather(1, count)[:, 0]
    backward = course_of(number.flip(1), torch.zeros_like(before))
    return Reading(order, number, end, course_of(number, before), backward)


def course_of(document: Int[Tensor, "batch time"], before: Int[Tensor, " batch"]) -> Course:
    """A document starts where a number differs from the one before it."""
    is_real = document != 0
    previous = torch.cat((before[:, None], document[:, :-1]), dim=1)
    return Course(((document != previous) & is_real).cumsum(dim=1), is_real)


def _along(values: Tensor, order: Int[Tensor, "batch time"], *, axis: int) -> Tensor:
    shape = [order.shape[0], *[1] * (values.ndim - 1)]
    shape[axis] = order.shape[1]
    return torch.take_along_dim(values, order.view(shape), dim=axis)
