"""CTC on the encoder's states beside a decoder's attention: w L_ctc + (1 - w) L_attention (Watanabe et al. 2017, equation 20)."""

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.head.attention import Attention
from lmlab.head.ctc import Ctc
from lmlab.types import Mistake


class Joint(nn.Module):
    """Called with a decoder's states it is the attention's half; its `ctc` reads the encoder's.

    Args:
        encoder_dim: of the encoder's states.
        ctc_weight: w, of CTC in the loss.
        dropout: of the encoder's states, for CTC.
        dim, num_symbols, symbol_embedding, tie_weights, label_smoothing: see Attention.
    """

    parts = frozenset({"ctc", "decoder"})

    def __init__(
        self,
        *,
        dim: int,
        encoder_dim: int,
        num_symbols: int,
        symbol_embedding: nn.Embedding,
        ctc_weight: float,
        dropout: float,
        tie_weights: bool,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        if not 0 < ctc_weight < 1:
            raise Mistake(
                f"head.ctc_weight={ctc_weight} is not between 0 and 1, and of two losses one would not count; set it to 0.3, "
                "say, or choose head=ctc or head=attention"
            )
        self.ctc_weight, self.label_smoothing = ctc_weight, label_smoothing
        self.ctc = Ctc(dim=encoder_dim, num_symbols=num_symbols, dropout=dropout)
        self.attention = Attention(
            dim=dim,
            num_symbols=num_symbols,
            symbol_embedding=symbol_embedding,
            tie_weights=tie_weights,
            label_smoothing=label_smoothing,
        )

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time symbols"]:
        logits: Tensor = self.attention(states)
        return logits
