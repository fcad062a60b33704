"""q_i^T sum_{j<=i} k_j v_j^T for every i, by chunks: squares within a chunk, one sum from each chunk to the next.

The cost is linear in the length (Katharopoulos et al. 2020, 3.3, and the chunks of Hua et al. 2022, 3.2). Sums run within a
document; padding sees itself alone, so that no row is empty.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from lmlab.model.mask import carried

CHUNK = 64
"""Positions of a chunk: their square and the sum between two chunks cost alike at heads of this width."""


class Runs(NamedTuple):
    """Which positions are summed together."""

    number: Int[Tensor, "rows time"]
    """Counts documents from the one that the state belongs to, which is 0; padding carries the one before it."""
    is_real: Bool[Tensor, "rows time"]

    def backward(self) -> "Runs":
        """The same, read from the end."""
        return Runs(self.number.flip(1), self.is_real.flip(1))

    def pairs(self) -> Bool[Tensor, "rows 1 time time"]:
        """Which see each other, and each itself."""
        equal = self.number[:, :, None] == self.number[:, None, :]
        both = self.is_real[:, :, None] & self.is_real[:, None, :]
        itself = torch.eye(self.number.shape[1], dtype=torch.bool, device=self.number.device)
        return (equal & both | itself)[:, None]


def runs_of(
    document: Int[Tensor, "batch time"] | None,
    before: Int[Tensor, " batch"] | None,
    like: Float[Tensor, "batch heads time dim"],
) -> Runs:
    """Document numbers, none for one document, as runs; a document that comes back behind another is a new one."""
    if document is None:
        return Runs(
            like.new_zeros(1, like.shape[2], dtype=torch.long), like.new_ones(1, like.shape[2], dtype=torch.bool)
        )
    first = torch.zeros_like(document[:, :1]) if before is None else before[:, None]
    filled = carried(torch.cat((first, document), dim=1))
    return Runs((filled[:, 1:] != filled[:, :-1]).long().cumsum(1), document != 0)


def running_sum(
    query: Float[Tensor, "batch heads time dim"],
    key: Float[Tensor, "batch heads time dim"],
    value: Float[Tensor, "batch heads time width"],
    past: Float[Tensor, "batch heads dim width"] | None,
    runs: Runs,
    *,
    with_itself: bool = True,
) -> tuple[Float[Tensor, "batch heads time width"], Float[Tensor, "batch heads dim width"]]:
    """Each query's sum over its run so far, and the sum of the last run for the next call."""
    batch, heads, time, dim = query.shape
    size = min(CHUNK, time)
    chunks = -(-time // size)
    query, key, value = (
        F.pad(part, (0, 0, 0, chunks * size - time)).view(batch, heads, chunks, size, -1)
        for part in (query, key, value)
    )
    cut = _cut(runs, chunks, size)
    sums = (key * cut.is_added[:, None, :, :, None]).mT @ value
    total = query.new_zeros(batch, heads, dim, value.shape[-1]) if past is None else past
    before = []
    for chunk in range(chunks):
        before.append(total)
        total = total * cut.goes_on[:, None, chunk, None, None] + sums[:, :, chunk]
    squares = (query @ key.mT) * cut.pairs.tril(0 if with_itself else -1)[:, None]
    found = squares @ value + (query @ torch.stack(before, dim=2)) * cut.reads[:, None, :, :, None]
    return found.flatten(2, 3)[:, :, :time], total


class _Cut(NamedTuple):
    """Runs by chunks."""

    pairs: Bool[Tensor, "rows chunks size size"]
    reads: Bool[Tensor, "rows chunks size"]
    """Queries of the run that the sum before the chunk belongs to."""
    is_added: Bool[Tensor, "rows chunks size"]
    """Keys of the chunk's last run."""
    goes_on: Bool[Tensor, "rows chunks"]
    """Whether that is the run of the chunk before."""


def _cut(runs: Runs, chunks: int, size: int) -> _Cut:
    rows, time = runs.number.shape
    index = torch.arange(chunks * size, device=runs.number.device)
    number = runs.number[:, index.clamp(max=time - 1)].view(rows, chunks, size)
    is_real = (runs.is_real[:, index.clamp(max=time - 1)] & (index < time)).view(rows, chunks, size)
    last = number[:, :, -1]
    first = torch.cat((torch.zeros_like(last[:, :1]), last[:, :-1]), dim=1)
    pairs = Runs(number.flatten(0, 1), is_real.flatten(0, 1)).pairs().view(rows, chunks, size, size)
    reads = (number == first[:, :, None]) & is_real
    return _Cut(pairs, reads, (number == last[:, :, None]) & is_real, last == first)
