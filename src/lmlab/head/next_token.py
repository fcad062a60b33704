"""softmax(h W^T): the next token's logits, W tied to the embedding or not (Press and Wolf 2017)."""

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Mistake


class NextToken(nn.Module):
    """States -> logits over the vocabulary."""

    def __init__(
        self,
        *,
        dim: int,
        vocab_size: int,
        embedding: nn.Embedding,
        tie_weights: bool,
        bias: bool,
        scale_states: bool,
        init_range: float | None,
    ) -> None:
        super().__init__()
        self.scale = dim**-0.5 if scale_states else 1.0
        self.output = nn.Linear(dim, vocab_size, bias=bias)
        if tie_weights:
            if embedding.weight.shape != self.output.weight.shape:
                raise Mistake(
                    f"head.tie_weights=true needs an embedding of {vocab_size} x {dim} like the head, but it is "
                    f"{embedding.num_embeddings} x {embedding.embedding_dim}; set head.tie_weights to false"
                )
            self.output.weight = embedding.weight
        elif init_range is None:
            nn.init.normal_(self.output.weight, std=0.02)
        else:
            nn.init.uniform_(self.output.weight, -init_range, init_range)
        if bias:
            nn.init.zeros_(self.output.bias)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time vocab"]:
        logits: Tensor = self.output(states if self.scale == 1.0 else states * self.scale)
        return logits
