"""Multi-head latent attention: keys and values of all heads out of one narrow vector (DeepSeek-V2 2024, eq. 9 to 19).

    c = W^DKV h,  k_i = [W_i^UK c; RoPE(W^KR h)],  v_i = W_i^UV c,  q_i = [W_i^UQ c'; RoPE(W_i^QR c')],  c' = W^DQ h
    o_i = softmax(q_i k_i^T / sqrt(head_dim + rope_dim)) v_i,  u = W^O [o_1; o_2; ...]

The state is c and the turned W^KR h, which all heads share. With a state W_i^UK goes to the query's side and W_i^UV behind
the weighted sum (2.1.2), so that keys and values of the past are never made anew.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.heads import fade, whole_only
from lmlab.model.attention.product import fused
from lmlab.model.attention.weigh import weigh
from lmlab.model.norm.rms_norm import RmsNorm
from lmlab.types import Mask, Mistake


class Latent(nn.Module):
    """Self- or cross-attention; a position that turns nothing leaves the rope_dim numbers as further ones of the head."""

    state_grows = True
    takes_relation = False

    def __init__(  # more than 8 arguments: three ranks
        self,
        *,
        dim: int,
        memory_dim: int | None,
        num_heads: int,
        kv_rank: int,
        query_rank: int | None,
        rope_dim: int,
        bias: bool,
        dropout: float,
        latent_norm: bool,
    ) -> None:
        super().__init__()
        part = "attention" if memory_dim is None else "cross_attention"
        _check(dim, num_heads, part, kv_rank=kv_rank, query_rank=query_rank, rope_dim=rope_dim)
        self.num_heads, self.head_dim, self.content_dim = num_heads, rope_dim, dim // num_heads
        self.kv_rank, self.dropout = kv_rank, dropout
        self.scale = (self.content_dim + rope_dim) ** -0.5
        width = num_heads * (self.content_dim + rope_dim)
        self.query_down = None if query_rank is None else _narrowed(dim, query_rank, bias=bias, norm=latent_norm)
        self.query = nn.Linear(dim if query_rank is None else query_rank, width, bias=bias)
        self.memory_down = nn.Linear(dim if memory_dim is None else memory_dim, kv_rank + rope_dim, bias=bias)
        self.memory_norm = RmsNorm(dim=kv_rank, eps=1e-6) if latent_norm else nn.Identity()
        self.key_up = nn.Linear(kv_rank, dim, bias=False)  # without bias, so that it can go to the query's side
        self.value_up = nn.Linear(kv_rank, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=bias)

    def forward(
        self,
        query: Float[Tensor, "batch query dim"],
        memory: Float[Tensor, "batch key memory_dim"],
        mask: Mask,
        state: tuple[Tensor, ...] | None = None,
        *,
        rotate: Callable[[Tensor], Tensor] | None = None,
        with_weights: bool = False,
    ) -> tuple[Float[Tensor, "batch query dim"], tuple[Tensor, ...], Float[Tensor, "batch heads query seen"] | None]:
        content, turned, latent, shared = self._projected(query, memory, rotate)
        if state is not None:
            latent, shared = torch.cat((state[0], latent), dim=1), torch.cat((state[1], shared), dim=1)
        weights = None
        if state is None and not with_weights:
            attended = self._by_heads(content, turned, latent, shared, mask)
        else:
            attended, weights = self._by_latent(content, turned, latent, shared, mask)
        merged = self.output(attended.transpose(1, 2).flatten(2))
        return merged, (latent, shared), weights if with_weights else None

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """There is one device for all heads."""
        raise whole_only("latent")

    def _projected(
        self, query: Tensor, memory: Tensor, rotate: Callable[[Tensor], Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries' content and turned part [batch, heads, query, ...], latent and shared key [batch, key, ...]."""
        batch, time, _ = query.shape
        queries = self.query(query if self.query_down is None else self.query_down(query)).view(
            batch, time, self.num_heads, -1
        )
        content, turned = torch.split(queries, [self.content_dim, self.head_dim], dim=-1)
        latent, shared = torch.split(self.memory_down(memory), [self.kv_rank, self.head_dim], dim=-1)
        if rotate is not None:  # only in self-attention, where both have the same places
            both = rotate(torch.cat((turned, shared[:, :, None]), dim=2))
            turned, shared = both[:, :, :-1], both[:, :, -1]
        return content.transpose(1, 2), turned.transpose(1, 2), self.memory_norm(latent), shared

    def _by_heads(
        self, content: Tensor, turned: Tensor, latent: Tensor, shared: Tensor, mask: Mask
    ) -> Float[Tensor, "batch heads query content_dim"]:
        """Keys and values as they are defined, in a fused kernel."""
        batch, key, _ = latent.shape
        keys, values = (
            up(latent).view(batch, key, self.num_heads, -1).transpose(1, 2) for up in (self.key_up, self.value_up)
        )
        keys = torch.cat((keys, shared[:, None].expand(-1, self.num_heads, -1, -1)), dim=-1)
        dropout = self.dropout if self.training else 0.0
        return fused(torch.cat((content, turned), dim=-1), keys, values, mask, scale=self.scale, dropout=dropout)

    def _by_latent(
        self, content: Tensor, turned: Tensor, latent: Tensor, shared: Tensor, mask: Mask
    ) -> tuple[Float[Tensor, "batch heads query content_dim"], Float[Tensor, "batch heads query key"]]:
        """The same in another order, with the weights (before dropout): heads share the latent as their key and value."""
        key_up, value_up = (
            up.weight.view(self.num_heads, self.content_dim, self.kv_rank).to(content.dtype)
            for up in (self.key_up, self.value_up)
        )
        scores = torch.einsum("bhqd,hdr,bkr->bhqk", content, key_up, latent)
        weights = weigh(self.scale * (scores + torch.einsum("bhqd,bkd->bhqk", turned, shared)), mask)
        faded = fade(weights, self.dropout, self.training).to(latent.dtype)
        return torch.einsum("bhqk,bkr,hdr->bhqd", faded, latent, value_up), weights


def _narrowed(dim: int, rank: int, *, bias: bool, norm: bool) -> nn.Module:
    down = nn.Linear(dim, rank, bias=bias)
    return nn.Sequential(down, RmsNorm(dim=rank, eps=1e-6)) if norm else down


def _check(dim: int, num_heads: int, part: str, *, kv_rank: int, query_rank: int | None, rope_dim: int) -> None:
    if dim % num_heads:
        raise Mistake(
            f"model.dim={dim} is not divisible by model.{part}.num_heads={num_heads}; "
            f"set model.dim to a multiple of {num_heads}"
        )
    for name, rank in (("kv_rank", kv_rank), ("query_rank", query_rank)):
        if rank is not None and rank < 1:
            raise Mistake(f"model.{part}.{name}={rank} leaves nothing to attend by; set it to 1 or more")
    if rope_dim < 2 or rope_dim % 2:
        raise Mistake(
            f"model.{part}.rope_dim={rope_dim} is not made of pairs to be turned; set it to an even number from 2 up"
        )
