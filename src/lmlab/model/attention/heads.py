"""Q W_i^Q, K W_i^K, V W_i^V for each head i, and concat(head_i) W^O behind them (Vaswani et al. 2017, 3.2.2).

Fewer key-value heads than heads is grouped-query attention (Ainslie et al. 2023); one is multi-query (Shazeer 2019).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.model.norm.rms_norm import RmsNorm
from lmlab.types import Mistake


class Heads(nn.Module):
    """What every attention shares beside its score; self-attention (memory_dim None) has one fused projection."""

    def __init__(
        self,
        *,
        dim: int,
        memory_dim: int | None,
        num_heads: int,
        num_kv_heads: int | None,
        head_dim: int | None,
        bias: bool,
        qk_norm: bool,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        part = "cross_attention" if memory_dim else "attention"
        _check(num_heads, self.num_kv_heads, part)
        self.head_dim = _share(dim, num_heads, part) if head_dim is None else head_dim
        self.kv_dim = self.num_kv_heads * self.head_dim
        width = num_heads * self.head_dim
        self.query = nn.Linear(dim, width + 2 * self.kv_dim if memory_dim is None else width, bias=bias)
        self.key_value = None if memory_dim is None else nn.Linear(memory_dim, 2 * self.kv_dim, bias=bias)
        self.query_norm = RmsNorm(dim=self.head_dim, eps=1e-6) if qk_norm else None
        self.key_norm = RmsNorm(dim=self.head_dim, eps=1e-6) if qk_norm else None
        self.output = nn.Linear(width, dim, bias=bias)

    def split(
        self,
        query: Float[Tensor, "batch query dim"],
        memory: Float[Tensor, "batch key memory_dim"],
        rotate: Callable[[Tensor], Tensor] | None,
    ) -> tuple[
        Float[Tensor, "batch heads query head_dim"],
        Float[Tensor, "batch kv_heads key head_dim"],
        Float[Tensor, "batch kv_heads key head_dim"],
    ]:
        """Queries, keys and values by heads."""
        split = self._of_itself(query, rotate) if self.key_value is None else self._of_memory(query, memory)
        queries, keys, values = (heads.transpose(1, 2) for heads in split)
        return queries, keys, values

    def _of_itself(self, states: Tensor, rotate: Callable[[Tensor], Tensor] | None) -> tuple[Tensor, ...]:
        """[batch, time, heads, head_dim] each; queries and keys are turned as one, in half the passes."""
        width = self.num_heads * self.head_dim + self.kv_dim
        both, values = self.query(states).split((width, self.kv_dim), dim=-1)
        both = self._by_head(both)
        if self.query_norm is not None and self.key_norm is not None:
            queries, keys = self._parted(both)
            both = torch.cat((self.query_norm(queries), self.key_norm(keys)), dim=2)
        if rotate is not None:
            both = rotate(both)
        return *self._parted(both), self._by_head(values)

    def _parted(self, both: Tensor) -> tuple[Tensor, ...]:
        """Queries and keys; the gradient of a split is one concatenation, that of two slices fills and adds four times."""
        return torch.split(both, [self.num_heads, self.num_kv_heads], dim=2)

    def _of_memory(self, query: Tensor, memory: Tensor) -> tuple[Tensor, ...]:
        """[batch, time, heads, head_dim] each; a memory's places are not those of the queries: nothing is turned."""
        assert self.key_value is not None
        keys, values = (self._by_head(part) for part in self.key_value(memory).chunk(2, dim=-1))
        queries = self._by_head(self.query(query))
        if self.query_norm is not None and self.key_norm is not None:
            queries, keys = self.query_norm(queries), self.key_norm(keys)
        return queries, keys, values

    def merge(self, heads: Float[Tensor, "batch heads query head_dim"]) -> Float[Tensor, "batch query dim"]:
        """The heads side by side, projected."""
        merged: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return merged

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """Makes itself one rank's share of the heads, as `Cuttable` says; biases and norms are left to one device."""
        if self.num_heads % ranks or self.num_kv_heads % ranks:
            raise Mistake(
                f"strategy=tensor_parallel shares heads among ranks: model.attention.num_heads={self.num_heads} and "
                f"num_kv_heads={self.num_kv_heads} are not both divisible by trainer.devices={ranks}; set them to multiples of it"
            )
        if self.key_value is not None or self.query.bias is not None or self.query_norm is not None:
            raise Mistake(
                "strategy=tensor_parallel takes self-attention without biases and norms of its own; "
                "set model.attention.bias=false and model.attention.qk_norm=false, or choose strategy=fsdp"
            )
        rows = torch.arange(self.query.out_features).split((self.num_heads * self.head_dim, self.kv_dim, self.kv_dim))
        order = torch.cat([part.chunk(ranks)[rank] for rank in range(ranks) for part in rows])
        self.num_heads, self.num_kv_heads = self.num_heads // ranks, self.num_kv_heads // ranks
        self.kv_dim //= ranks
        return "query", order

    def _by_head(self, states: Tensor) -> Tensor:
        batch, time, width = states.shape  # of no positions as well, where -1 would be ambiguous
        return states.view(batch, time, width // self.head_dim, self.head_dim)


def extend(
    state: tuple[Tensor, ...] | None,
    keys: Float[Tensor, "batch kv_heads key head_dim"],
    values: Float[Tensor, "batch kv_heads key head_dim"],
) -> tuple[Tensor, Tensor]:
    """Keys and values behind those of the calls before."""
    if state is None:
        return keys, values
    if keys.shape[2] == 0:  # a memory that has been read
        return state[0], state[1]
    return torch.cat((state[0], keys), dim=2), torch.cat((state[1], values), dim=2)


def repeat(
    heads: Float[Tensor, "batch kv_heads key head_dim"], num_heads: int
) -> Float[Tensor, "batch heads key head_dim"]:
    """Each key-value head as often as there are query heads that share it."""
    times = num_heads // heads.shape[1]
    return heads if times == 1 else heads.repeat_interleave(times, dim=1)


def fade(weights: Tensor, dropout: float, training: bool) -> Tensor:
    """Dropout on attention weights; with no dropout, no operation."""
    return F.dropout(weights, dropout) if training and dropout > 0 else weights


def whole_only(score: str) -> Mistake:
    """What tensor parallelism is told by a score with weights of its own in each head."""
    return Mistake(
        f"strategy=tensor_parallel cuts model/attention=dot and scaled_dot, and this is {score}; choose one of them, or "
        "strategy=fsdp"
    )


def _share(dim: int, num_heads: int, part: str) -> int:
    """The width of a head where all of them together are as wide as the model."""
    if dim % num_heads:
        raise Mistake(
            f"model.dim={dim} is not divisible by model.{part}.num_heads={num_heads}; "
            f"set model.dim to a multiple of {num_heads}"
        )
    return dim // num_heads


def _check(num_heads: int, num_kv_heads: int, part: str) -> None:
    if num_heads % num_kv_heads:
        raise Mistake(
            f"model.{part}.num_heads={num_heads} is not divisible by model.{part}.num_kv_heads={num_kv_heads}; "
            f"set model.{part}.num_kv_heads to a divisor of {num_heads}, or to null for one each"
        )
