"""phi(q_i)^T S_i / phi(q_i)^T z_i with S_i = sum_{j<=i} phi(k_j) v_j^T and z_i = sum_{j<=i} phi(k_j), phi(x) = elu(x) + 1
(Katharopoulos et al. 2020, eq. 7, 9 to 12).

A causal model's cost is linear in the length, and its state is S and z; an encoder's sums run over all keys of a document.
Sums are kept in fp32: over a long past, bf16 would lose what is added last. Rotary turns phi(q) and phi(k) in S, and not in
z (Su et al. 2021, eq. 19), so that weights are then no distribution. A document that comes back behind another is a new one.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.model.attention.heads import Heads, repeat, whole_only
from lmlab.model.attention.running_sum import running_sum, runs_of
from lmlab.types import Mask, Mistake


class Linear(nn.Module):
    """Multi-head linear attention; there are no weights on which a dropout could fall."""

    state_grows = False
    takes_relation = False

    def __init__(  # more than 8 arguments: as every attention
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
        self.heads = Heads(
            dim=dim,
            memory_dim=memory_dim,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            bias=bias,
            qk_norm=qk_norm,
        )
        self.num_heads = num_heads
        self.head_dim = self.heads.head_dim

    def forward(
        self,
        query: Float[Tensor, "batch query dim"],
        memory: Float[Tensor, "batch key memory_dim"],
        mask: Mask,
        state: tuple[Tensor, ...] | None = None,
        *,
        rotate: Callable[[Tensor], Tensor] | None = None,
        with_weights: bool = False,
    ) -> tuple[Float[Tensor, "batch query dim"], tuple[Tensor, ...], Float[Tensor, "batch heads query key"] | None]:
        queries, keys, values = self.heads.split(query, memory, None)
        with _as_it_stands(queries.device):
            queries, keys = phi(queries), repeat(phi(keys), self.num_heads)
            below = Terms(queries, keys, torch.ones_like(keys[..., :1]))
            if rotate is not None:
                queries, keys = (rotate(part.transpose(1, 2)).transpose(1, 2) for part in (queries, keys))
            above = Terms(queries, keys, repeat(values.float(), self.num_heads))
            attended, after = _attended(above, below, mask, state)
            weights = _weights(above, below, mask, state) if with_weights else None
        return self.heads.merge(attended.to(values.dtype)), after, weights

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """There is one device for all heads."""
        raise whole_only("linear")


def phi(states: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """elu(x) + 1, above 0 everywhere (eq. 7)."""
    return F.elu(states.float()) + 1.0


def _as_it_stands(device: torch.device) -> AbstractContextManager[None]:
    """In fp32 under autocast also; the meta device, on which models are measured, has no autocast."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


class Terms(NamedTuple):
    """What one of the two sums is made of: q^T sum(k v^T); the denominator's values are 1."""

    query: Float[Tensor, "batch heads query head_dim"]
    key: Float[Tensor, "batch heads key head_dim"]
    value: Float[Tensor, "batch heads key width"]


def _attended(
    above: Terms, below: Terms, mask: Mask, state: tuple[Tensor, ...] | None
) -> tuple[Float[Tensor, "batch heads query head_dim"], tuple[Tensor, ...]]:
    """Output and state; only a causal model has one."""
    if not mask.is_causal:
        return _quotient(_total(above, mask), _total(below, mask)), ()
    runs = runs_of(mask.document, mask.before, above.query)
    totals, counts = (None, None) if state is None else state
    numerator, totals = running_sum(*above, totals, runs)
    denominator, counts = running_sum(*below, counts, runs)
    return _quotient(numerator, denominator), (totals, counts)


def _total(terms: Terms, mask: Mask) -> Float[Tensor, "batch heads query width"]:
    """What is seen in both directions; a square, as packed pairs have in a cross-attention, is read as one."""
    query, key, value = terms
    if mask.document is not None:
        runs = runs_of(mask.document, None, query)
        behind, _ = running_sum(query, key, value, None, runs)
        turned = (query.flip(2), key.flip(2), value.flip(2))
        ahead, _ = running_sum(*turned, None, runs.backward(), with_itself=False)
        return behind + ahead.flip(2)
    if mask.allowed is not None and mask.allowed.shape[2] > 1:
        return ((query @ key.mT) * mask.allowed) @ value
    seen = key if mask.allowed is None else key * mask.allowed.transpose(2, 3)
    return query @ (seen.mT @ value)


def _weights(
    above: Terms, below: Terms, mask: Mask, state: tuple[Tensor, ...] | None
) -> Float[Tensor, "batch heads query key"]:
    """What each value is taken by: the square that the sums avoid."""
    if state is not None:
        raise Mistake(
            "model/attention=linear keeps sums of what was before, so that it has no weights on it; ask for the weights of "
            "the whole text in one call"
        )
    allowed = mask.allowed
    if mask.is_causal or mask.document is not None:
        allowed = runs_of(mask.document, mask.before, above.query).pairs()
        allowed = allowed.tril() if mask.is_causal else allowed
    numerator, denominator = (
        scores if allowed is None else scores * allowed
        for scores in (part.query @ part.key.mT for part in (above, below))
    )
    return _quotient(numerator, denominator.sum(-1, keepdim=True))


def _quotient(
    numerator: Float[Tensor, "batch heads query width"], denominator: Float[Tensor, "batch heads query 1"]
) -> Float[Tensor, "batch heads query width"]:
    """0 where every feature has underflowed."""
    return numerator / denominator.clamp(min=1e-30)
