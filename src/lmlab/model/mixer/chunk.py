"""A linear recurrence in chunks of the time axis: products within a chunk, one step from chunk to chunk.

S_t = a_t S_(t-1) + u_t is, within a chunk, a triangular matrix of products of decays (Dao and Gu 2024, section 6); where
a document starts, they are 0, so that nothing of the one before is left.
"""

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from lmlab.types import Course


class Chunks(NamedTuple):
    """How many chunks of which length: as even as they can be, so that little is padded."""

    number: int
    length: int

    def split(self, values: Tensor) -> Tensor:
        """[batch, time, ...] -> [batch, chunks, length, ...], zeros behind the last position."""
        missing = self.number * self.length - values.shape[1]
        if missing:
            values = F.pad(values, (0, 0) * (values.ndim - 2) + (0, missing))
        return values.reshape(values.shape[0], self.number, self.length, *values.shape[2:])


def chunks_of(time: int, size: int) -> Chunks:
    """Chunks of at most `size` positions."""
    number = -(-time // size)
    return Chunks(number, -(-time // number))


class Decays(NamedTuple):
    """What is left of what was added at one position at a later one."""

    within: Float[Tensor, "batch chunks heads length length"]
    """From the second position to the first, both in a chunk; 0 where it would be from later to earlier."""
    from_start: Float[Tensor, "batch chunks heads length"]
    """From before the chunk."""
    to_end: Float[Tensor, "batch chunks heads length"]
    """Up to the chunk's last position."""
    whole: Float[Tensor, "batch chunks heads"]
    """From before the chunk up to its last position."""


def decays(
    log_decay: Float[Tensor, "batch time heads"], segment: Int[Tensor, "batch time"] | None, chunks: Chunks
) -> Decays:
    """Products of decays as exponentials of differences of their summed logarithms; 0 between different segments."""
    summed = chunks.split(log_decay).transpose(2, 3).cumsum(-1)  # batch chunks heads length
    allowed = torch.ones(chunks.length, chunks.length, dtype=torch.bool, device=summed.device).tril()
    from_start = summed.exp()
    if segment is not None:
        missing = chunks.number * chunks.length - segment.shape[1]
        filled = torch.cat((segment, segment[:, -1:].expand(-1, missing)), dim=1)
        number = filled.view(-1, chunks.number, 1, chunks.length)
        before = F.pad(number[:, :-1, :, -1:], (0, 0, 0, 0, 1, 0))  # the state that a call begins with is of segment 0
        allowed = allowed & (number[..., :, None] == number[..., None, :])
        from_start = from_start.masked_fill(number != before, 0.0)
    difference = summed[..., :, None] - summed[..., None, :]
    within = difference.masked_fill(~allowed, -torch.inf).exp()  # masked first: the exponential of others overflows
    return Decays(within, from_start, within[..., -1, :], from_start[..., -1])


def kept(log_decay: Float[Tensor, "batch 1 heads"], course: Course | None) -> Float[Tensor, "batch heads"]:
    """What is left of the state at one position: nothing where a document starts."""
    decay = log_decay[:, 0].exp()
    return decay if course is None else decay.masked_fill(course.segment[:, :1] != 0, 0.0)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Products of decays and sums over thousands of positions keep their precision."""
    return torch.autocast("cpu" if device.type == "meta" else device.type, enabled=False)
