"""p(w) = g p_vocab(w) + (1 - g) sum of the attention on the places where the source has w (See et al. 2017, equation 9).

The paper's g also reads context vector and input beside the decoder's state: here they are in the state, behind attention.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.examples import SourceTarget
from lmlab.head.next_token import NextToken


class Pointer(nn.Module):
    """Writes a token of the vocabulary or copies one of the source; both have one vocabulary.

    Args:
        tie_weights, bias: see NextToken.
        copy_bias: of the argument of g, at first: above 0 it writes rather than copies.
    """

    example = SourceTarget
    copies = True

    def __init__(
        self,
        *,
        dim: int,
        vocab_size: int,
        embedding: nn.Embedding,
        tie_weights: bool,
        bias: bool,
        copy_bias: float,
    ) -> None:
        super().__init__()
        self.tokens = NextToken(
            dim=dim,
            vocab_size=vocab_size,
            embedding=embedding,
            tie_weights=tie_weights,
            bias=bias,
            scale_states=False,
            init_range=None,
        )
        self.gate = nn.Linear(dim, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, copy_bias)

    def forward(
        self,
        states: Float[Tensor, "batch time dim"],
        attention: Float[Tensor, "batch time source"],
        source: Int[Tensor, "batch source"],
    ) -> Float[Tensor, "batch time vocab"]:
        """log p, in float32: its own softmax is p."""
        writes = self.gate(states).float().sigmoid()
        shares = self.tokens(states).float().softmax(dim=-1) * writes
        copied = attention.float() * (1 - writes)
        shares = shares.scatter_add(2, source[:, None].expand(-1, states.shape[1], -1), copied)
        found: Tensor = shares.clamp(min=torch.finfo(torch.float32).tiny).log()
        return found
