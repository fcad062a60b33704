"""What all attentions share beside their score: heads, cache, dropout, cap, sinks, gate, and the choice of a kernel."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.backend import Backend, Call, choose, kind
from lmlab.model.attention.gate import Gate
from lmlab.model.attention.heads import Heads, extend
from lmlab.model.attention.sinks import Sinks
from lmlab.model.attention.varlen import HAS_VARLEN
from lmlab.types import Mask, Mistake


class MultiHead(nn.Module):
    """softmax(score(Q, K)) V by heads; a subclass says the score.

    Subclasses have no constructor of their own, so that all of them take, and check, the same keys.
    """

    state_grows = True
    takes_relation = False
    is_product = True
    """Whether scores are a matrix product of queries and keys."""

    def __init__(  # more than 8 arguments: choices that go with every score
        self,
        *,
        dim: int,
        memory_dim: int | None,
        num_heads: int,
        num_kv_heads: int | None,
        head_dim: int | None,
        bias: bool,
        dropout: float,
        qk_norm: bool,
        logit_cap: int | float | None,
        sinks: bool,
        gate: Literal["head", "elementwise"] | None,
        backend: Backend,
    ) -> None:
        super().__init__()
        self.part = "attention" if memory_dim is None else "cross_attention"
        if logit_cap is not None and logit_cap <= 0:
            raise Mistake(
                f"model.{self.part}.logit_cap={logit_cap:g} leaves no score; set it above 0, or to null for no cap"
            )
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
        self.dropout = dropout
        self.logit_cap = None if logit_cap is None else float(logit_cap)
        self.sinks = Sinks(num_heads=num_heads, part=self.part) if sinks else None
        self.gate: Gate | None = None
        if gate is not None:
            self.gate = Gate(dim=dim, num_heads=num_heads, head_dim=self.head_dim, each=gate, part=self.part)
        self.backend = backend
        self.make_weights()

    def make_weights(self) -> None:
        """Those of the score's own, beside the projections."""

    def attend(
        self,
        queries: Float[Tensor, "batch heads query head_dim"],
        keys: Float[Tensor, "batch kv_heads key head_dim"],
        values: Float[Tensor, "batch kv_heads key head_dim"],
        mask: Mask,
        *,
        backend: str,
        dropout: float,
        with_weights: bool,
    ) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"] | None]:
        """Values by the weights of their scores, and the weights where they are asked for."""
        raise NotImplementedError

    def prepared(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch kv_heads key head_dim"]
    ) -> tuple[Tensor, Tensor]:
        """What the score is made of; the keys are kept like that in the state."""
        return queries, keys

    def forward(
        self,
        query: Float[Tensor, "batch query dim"],
        memory: Float[Tensor, "batch key memory_dim"],
        mask: Mask,
        state: tuple[Tensor, ...] | None = None,
        *,
        rotate: Callable[[Tensor], Tensor] | None = None,
        with_weights: bool = False,
    ) -> tuple[Float[Tensor, "batch query dim"], tuple[Tensor, Tensor], Float[Tensor, "batch heads query seen"] | None]:
        queries, keys, values = self.heads.split(query, memory, rotate)
        queries, keys = self.prepared(queries, keys)
        keys, values = extend(state, keys, values)
        dropout = self.dropout if self.training else 0.0
        call = self.call(
            mask,
            query=queries.shape[2],
            key=keys.shape[2],
            device=values.device.type,
            dtype=values.dtype,
            has_gradient=queries.requires_grad and torch.is_grad_enabled(),
            dropout=dropout,
            with_weights=with_weights,
        )
        attended, weights = self.attend(
            queries,
            keys,
            values,
            mask,
            backend=choose(call).backend,
            dropout=dropout,
            with_weights=with_weights,
        )
        if self.gate is not None:
            attended = self.gate(query, attended)
        return self.heads.merge(attended), (keys, values), weights

    def call(
        self,
        mask: Mask,
        *,
        query: int,
        key: int,
        device: str,
        dtype: torch.dtype,
        has_gradient: bool,
        dropout: float,
        with_weights: bool,
    ) -> Call:
        """What the choice of a kernel depends on, for a call that is made or, before training, foreseen."""
        return Call(
            wanted=self.backend,
            part=self.part,
            score=type(self).__name__.lower(),
            is_product=self.is_product,
            logit_cap=self.logit_cap,
            has_sinks=self.sinks is not None,
            dropout=dropout,
            mask=kind(mask),
            query=query,
            key=key,
            head_dim=self.head_dim,
            device=device,
            dtype=dtype,
            has_gradient=has_gradient,
            with_weights=with_weights,
            has_varlen=HAS_VARLEN,
        )

    def sink_logits(self) -> Float[Tensor, " heads"] | None:
        """One for each head, where there are any."""
        return None if self.sinks is None else self.sinks()
