"""softmax(scale * Q K^T) V within documents side by side: flash attention over sequences of different lengths (Dao 2023).

Positions of a document need not be neighbours (padding may stand between): they are gathered in order, which keeps causality.
Unverified until a GPU has shown it: the kernel itself, its gradients and its speed. The tests put a loop in its place.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.types import Mask

try:
    from torch.nn.attention import varlen as of_torch

    kernel: Callable[..., Any] = of_torch.varlen_attn
    HAS_VARLEN = "window_size" in inspect.signature(kernel).parameters
except ImportError:
    HAS_VARLEN = False


def varlen(
    query: Float[Tensor, "batch heads time head_dim"],
    key: Float[Tensor, "batch heads time head_dim"],
    value: Float[Tensor, "batch heads time head_dim"],
    mask: Mask,
    *,
    scale: float,
) -> Float[Tensor, "batch heads time head_dim"]:
    """Self-attention over whole sequences; a row without document numbers is one document."""
    batch, heads, time, head_dim = query.shape
    layout = _layout(mask, batch, time, query.device)
    query, key, value = (
        part.to(value.dtype).transpose(1, 2).flatten(0, 1)[layout.order] for part in (query, key, value)
    )
    is_causal = mask.is_causal if mask.packed is None else mask.packed.causal
    attended: Tensor = kernel(
        query * (scale * head_dim**0.5),  # the kernel's own scale is 1 / sqrt(head_dim)
        key,
        value,
        layout.ends,
        layout.ends,
        layout.longest,
        layout.longest,
        window_size=(-1, 0) if is_causal else (-1, -1),
    )
    return attended[layout.back].view(batch, time, heads, head_dim).transpose(1, 2)


class Layout(NamedTuple):
    """Documents one behind the other."""

    order: Int[Tensor, " positions"]
    back: Int[Tensor, " positions"]
    """The inverse of `order`."""
    ends: Int[Tensor, " edges"]
    """0 and where each document ends."""
    longest: int


def _layout(mask: Mask, batch: int, time: int, device: torch.device) -> Layout:
    """Made by the first layer that needs it: the number of documents is known to the CPU only by waiting for the GPU."""
    if "varlen" not in mask.memo:
        document = torch.zeros(batch, time, dtype=torch.long, device=device)
        mask.memo["varlen"] = layout_of(document if mask.packed is None else mask.packed.document)
    layout: Layout = mask.memo["varlen"]
    return layout


def layout_of(document: Int[Tensor, "batch time"]) -> Layout:
    """Row by row, in each row by document number, in each document by place."""
    batch, time = document.shape
    numbers, order = document.sort(dim=1, stable=True)
    is_start = torch.ones_like(document, dtype=torch.bool)
    is_start[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    order = (order + time * torch.arange(batch, device=document.device)[:, None]).flatten()
    starts = is_start.flatten().nonzero()[:, 0]
    ends = torch.cat((starts, starts.new_tensor([batch * time]))).to(torch.int32)
    return Layout(order, order.argsort(), ends, int(ends.diff().max()))
