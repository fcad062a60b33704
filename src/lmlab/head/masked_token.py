"""norm(gelu(h V + c)) W^T + b: the logits of a masked token, W tied to the embedding (Devlin et al. 2019, 3.1)."""

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.head.next_token import NextToken


class MaskedToken(nn.Module):
    """States -> logits over the vocabulary, with a layer of its own, as wide as the embedding, before the map onto it."""

    def __init__(
        self,
        *,
        dim: int,
        vocab_size: int,
        embedding: nn.Embedding,
        activation: nn.Module,
        eps: float,
        tie_weights: bool,
    ) -> None:
        super().__init__()
        width = embedding.embedding_dim
        self.transform = nn.Linear(dim, width)
        nn.init.normal_(self.transform.weight, std=0.02)
        nn.init.zeros_(self.transform.bias)
        self.activation = activation
        self.norm = nn.LayerNorm(width, eps=eps)
        self.tokens = NextToken(
            dim=width,
            vocab_size=vocab_size,
            embedding=embedding,
            tie_weights=tie_weights,
            bias=True,
            scale_states=False,
            init_range=None,
        )

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time vocab"]:
        logits: Tensor = self.tokens(self.norm(self.activation(self.transform(states))))
        return logits
