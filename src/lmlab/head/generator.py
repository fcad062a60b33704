"""The small masked model that proposes replacements (Clark et al. 2020, 3.1): embeddings are shared, its layers are narrow."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lmlab.head.masked_token import MaskedToken
from lmlab.types import SequenceModel


class Generator(nn.Module):
    """Embedded text with hidden tokens -> logits of these tokens.

    Args:
        model: an encoder; it reads vectors, and its own embedding is not used.
        dim: width of the embeddings; where the model has another, a linear map stands between.
        vocab_size, embedding, activation, eps: see MaskedToken; the embedding's weights are the output's as well.
    """

    def __init__(
        self,
        *,
        model: SequenceModel,
        dim: int,
        vocab_size: int,
        embedding: nn.Embedding,
        activation: nn.Module,
        eps: float,
    ) -> None:
        super().__init__()
        self.inner: nn.Module = nn.Identity() if model.dim == dim else nn.Linear(dim, model.dim)
        self.model = model
        model.embedding.requires_grad_(False)
        self.output = MaskedToken(
            dim=model.dim, vocab_size=vocab_size, embedding=embedding, activation=activation, eps=eps, tie_weights=True
        )

    def forward(
        self,
        vectors: Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None,
        is_hidden: Bool[Tensor, "batch time"],
    ) -> tuple[Float[Tensor, "hidden vocab"], dict[str, Tensor]]:
        """Logits in float32, and auxiliary losses of the model by name."""
        found = self.model(self.inner(vectors), document)
        logits = self.output(found.states[is_hidden][None])[0].float()
        return logits, {f"generator_{name}": loss for name, loss in found.extras.losses.items()}
