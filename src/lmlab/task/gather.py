"""What all ranks hold of a batch, for losses in which each of its examples stands beside all others."""

from typing import Any

import torch
from torch import Tensor, distributed

from lmlab.task.exchange import is_several


def of_all_ranks(rows: Tensor) -> Tensor:
    """[own, ...] -> [all, ...], rank after rank, each with any number of them; gradients go back to whose rows they are.

    Each rank's gradient is that of the sum of all ranks' losses.
    """
    if not is_several():
        return rows
    sizes = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(distributed.get_world_size())]
    distributed.all_gather(sizes, torch.tensor([len(rows)], device=rows.device))
    counts = [int(size) for size in sizes]
    found: Tensor = _Gather.apply(rows, counts)  # type: ignore[no-untyped-call]
    return found


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        whole = gradient.contiguous().clone()
        distributed.all_reduce(whole)
        first = sum(ctx.counts[: distributed.get_rank()])
        return whole[first : first + ctx.counts[distributed.get_rank()]], None
