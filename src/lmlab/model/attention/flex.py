"""softmax(cap(scale * Q K^T) + bias) V by FlexAttention: a kernel compiled for the score and the mask (Dong et al. 2024).

Blocks of 128 x 128 that the mask forbids are left out, so that sliding windows and documents cost what they see. On a CPU
torch has no gradient for it, and here writes it out unfused, so that the numbers can be checked without a compiler.
Unverified until a GPU has shown it: the compiled kernel, its gradients (also those of sinks), its speed.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, create_block_mask, flex_attention

from lmlab.types import Mask


def flex(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    *,
    scale: float,
    logit_cap: float | None,
    sinks: Float[Tensor, " heads"] | None,
) -> Float[Tensor, "batch heads query head_dim"]:
    """Shared keys and values are not repeated; a sink takes its share of the weights from the log of their sum."""
    query, key = query.to(value.dtype), key.to(value.dtype)  # autocast knows nothing of this kernel
    found = _kernel(query.device.type)(
        query,
        key,
        value,
        score_mod=_score(mask, logit_cap),
        block_mask=_blocks(mask, query.shape[2], key.shape[2], query.device),
        scale=scale,
        enable_gqa=key.shape[1] != query.shape[1],
        return_aux=None if sinks is None else AuxRequest(lse=True),
    )
    if sinks is None:
        attended: Tensor = found
        return attended
    attended, rest = found
    share: Tensor = (rest.lse - sinks[:, None]).sigmoid()
    return attended * share[..., None].to(attended.dtype)


def _kernel(device: str) -> Callable[..., Any]:
    """Inside a compiled model it is compiled with the rest."""
    if torch.compiler.is_compiling():
        return flex_attention
    return _compiled("inductor" if device == "cuda" else "eager")


@cache
def _compiled(backend: str) -> Callable[..., Any]:
    made: Callable[..., Any] = torch.compile(flex_attention, backend=backend)
    return made


def _score(mask: Mask, cap: float | None) -> Callable[..., Tensor] | None:
    """Lambdas, because the compiler reads them and the tests' shape hook leaves these alone."""
    bias = mask.bias
    if bias is None:
        return None if cap is None else lambda score, b, h, q, k: cap * torch.tanh(score / cap)
    of_each = int(bias.shape[0] > 1)
    if cap is None:
        return lambda score, b, h, q, k: score + bias[b * of_each, h, q, k]
    return lambda score, b, h, q, k: cap * torch.tanh(score / cap) + bias[b * of_each, h, q, k]


def _blocks(mask: Mask, query: int, key: int, device: torch.device) -> Any:
    """Which blocks are computed; made by the first layer that needs them."""
    if mask.allowed is None and not mask.is_causal:
        return None
    if "flex" not in mask.memo:
        rows = None
        allows: Callable[..., Any] = lambda b, h, q, k: q >= k  # noqa: E731  (as above)
        if mask.allowed is not None:
            allowed = mask.allowed.expand(-1, -1, query, key)
            of_each = int(allowed.shape[0] > 1)
            rows = allowed.shape[0] if of_each else None
            allows = lambda b, h, q, k: allowed[b * of_each, 0, q, k]  # noqa: E731
        mask.memo["flex"] = create_block_mask(allows, rows, None, query, key, device=device)
    return mask.memo["flex"]
