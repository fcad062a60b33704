"""align(h_t, h_s) exp(-(s - p_t)^2 / (2 sigma^2)) around p_t = S sigmoid(v^T tanh(W h_t)) (Luong et al. 2015, eq. 9 and 10).

This is their local-p. Left out: local-m, whose p_t = t asks for the place of the query, which a recurrent decoder does not count.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmlab.model.attention.heads import fade, repeat, whole_only
from lmlab.model.attention.multi_head import MultiHead
from lmlab.types import AttentionFactory, Mask, Mistake


class Local(nn.Module):
    """align is the softmax of a score over the keys within `window` of p_t, sigma = window / 2; weights do not sum to 1.

    S is the number of keys that a query may see, so that p_t is one of their places; all heads share it.
    """

    def __init__(
        self,
        *,
        dim: int,
        memory_dim: int | None,
        num_heads: int,
        dropout: float,
        window: int,
        score: AttentionFactory,
    ) -> None:
        super().__init__()
        part = "attention" if memory_dim is None else "cross_attention"
        if window < 1:
            raise Mistake(f"model.{part}.window={window} leaves nothing to see; set it to 1 or more")
        made = score(dim=dim, memory_dim=memory_dim)
        if not isinstance(made, MultiHead):
            raise Mistake(
                f"model/{part}=local takes a score of its keys, and {type(made).__name__} is more than one; "
                f"choose model/{part}/score=general, dot or concat"
            )
        assert made.num_heads == num_heads, "the YAML hands num_heads to the score"
        self.score = made
        self.num_heads, self.head_dim = num_heads, self.score.head_dim
        self.dropout, self.window = dropout, window
        self.hidden = nn.Linear(dim, dim, bias=False)  # W
        self.place = nn.Linear(dim, 1, bias=False)  # v

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
        total = memory.shape[1] + (0 if state is None else state[0].shape[2])
        seen = _seen(mask, query, total)
        share = torch.sigmoid(self.place(torch.tanh(self.hidden(query))).float())[:, None]  # [batch, 1, query, 1]
        distance = seen.cumsum(-1) - 1 - share * seen.sum(-1, keepdim=True)  # s - p_t
        near = seen & (distance.abs() <= self.window)
        bias = None if mask.bias is None else mask.bias.masked_fill(~near, -torch.inf)
        within = Mask(allowed=near if bias is None else None, bias=bias)
        _, cache, weights = self.score(query, memory, within, state, rotate=rotate, with_weights=True)
        assert weights is not None, "they were asked for"
        weights = weights * torch.exp(-2 * (distance / self.window).square()).to(weights.dtype)
        values = repeat(cache[1], self.num_heads)
        faded = fade(weights, self.dropout, training=self.training).to(values.dtype)
        attended = self.score.heads.merge(torch.einsum("bhqk,bhkd->bhqd", faded, values))
        return attended, cache, weights if with_weights else None

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        raise whole_only("local")


def _seen(mask: Mask, query: Tensor, total: int) -> Bool[Tensor, "rows 1 query total"]:
    """The keys that each query may see."""
    if mask.bias is not None:
        return (mask.bias > -torch.inf).any(1, keepdim=True)
    if mask.allowed is not None:
        return mask.allowed
    seen = torch.ones(1, 1, query.shape[1], total, dtype=torch.bool, device=query.device)
    return seen.tril() if mask.is_causal else seen
