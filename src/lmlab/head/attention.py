"""p(symbol | symbols before it, recording), from a decoder that attends to what was heard (Chan et al. 2016, equation 1)."""

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.head.next_token import NextToken


class Attention(nn.Module):
    """A decoder's states -> logits of the next symbol; `<eos>`, which ends a transcript, is one of them.

    Args:
        dim: of the decoder.
        symbol_embedding: the decoder's.
        num_symbols: of the transcripts, `<eos>` among them.
        tie_weights: see NextToken.
        label_smoothing: weight of the uniform distribution in the target (Szegedy et al. 2016, section 7); in training only.
    """

    parts = frozenset({"decoder"})
    ctc = None
    ctc_weight = 0.0

    def __init__(
        self, *, dim: int, num_symbols: int, symbol_embedding: nn.Embedding, tie_weights: bool, label_smoothing: float
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.tokens = NextToken(
            dim=dim,
            vocab_size=num_symbols,
            embedding=symbol_embedding,
            tie_weights=tie_weights,
            bias=False,
            scale_states=False,
            init_range=None,
        )

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time symbols"]:
        logits: Tensor = self.tokens(states)
        return logits
