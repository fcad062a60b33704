"""Several tokens ahead from each state: a part of its own for each, one map onto the vocabulary (Gloeckle et al. 2024).

The paper's part for each token is a Transformer layer; here it is norm, linear map, SiLU, linear map beside a residual, which
needs no mask and costs a recurrent model no more than a Transformer.
"""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.head.next_token import NextToken
from lmlab.types import IGNORE, Mistake


class MultiToken(nn.Module):
    """States -> logits of the next token; while training also the losses of the tokens behind it.

    Args:
        num_tokens: that are predicted from each state, the next one among them.
        weight: of the mean of the further losses beside that of the next token.
        tie_weights, bias: see NextToken.
    """

    looks_ahead = True
    """It is for text that is written from left to right."""

    def __init__(
        self,
        *,
        dim: int,
        vocab_size: int,
        embedding: nn.Embedding,
        num_tokens: int,
        weight: float,
        tie_weights: bool,
        bias: bool,
    ) -> None:
        super().__init__()
        if num_tokens < 2:
            raise Mistake(
                f"head.num_tokens={num_tokens} predicts no further token; set it to 2 or more, or head=next_token"
            )
        self.weight = weight
        self.tokens = NextToken(
            dim=dim,
            vocab_size=vocab_size,
            embedding=embedding,
            tie_weights=tie_weights,
            bias=bias,
            scale_states=False,
            init_range=None,
        )
        self.further = nn.ModuleList(_Part(dim) for _ in range(num_tokens - 1))

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time vocab"]:
        logits: Tensor = self.tokens(states)
        return logits

    def auxiliary(
        self,
        states: Float[Tensor, "batch time dim"],
        targets: Int[Tensor, "batch time"],
        document: Int[Tensor, "batch time"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses by name, `token2` for the one after the next, each a mean over the places that have such a target.

        A target that is IGNORE stays so; what lies behind the end of a row, or in another document, is none.
        """
        found = {}
        for ahead, part in enumerate(self.further, start=1):
            later = _ahead(targets, ahead, IGNORE)
            if document is not None:
                later = later.masked_fill(_ahead(document, ahead, 0) != document, IGNORE)
            logits = self.tokens(part(states)).flatten(0, 1).float()
            summed = F.cross_entropy(logits, later.flatten(), ignore_index=IGNORE, reduction="sum")
            share = self.weight / len(self.further)
            found[f"token{ahead + 1}"] = share * summed / (later != IGNORE).sum().clamp(min=1)
        return found


def _ahead(values: Int[Tensor, "batch time"], number: int, filler: int) -> Int[Tensor, "batch time"]:
    """What stands so many places behind each."""
    return F.pad(values[:, number:], (0, min(number, values.shape[1])), value=filler)


class _Part(nn.Module):
    """Begins as the state itself."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(dim)
        self.inner, self.outer = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        nn.init.normal_(self.inner.weight, std=0.02)
        nn.init.zeros_(self.outer.weight)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        mixed: Tensor = self.outer(F.silu(self.inner(self.norm(states))))
        return states + mixed
