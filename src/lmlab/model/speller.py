"""p(transcript | recording): a front end, an encoder that listens, a decoder that spells by attention (Chan et al. 2016)."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.listener import heard
from lmlab.types import Conditional, Memory, Output, State


class Speller(nn.Module):
    """A Conditional whose source are frames of a recording.

    Args:
        frontend: see Listener.
        conditional: encoder and decoder; the encoder reads vectors, and its embedding is not used.
    """

    causal = True

    def __init__(self, *, frontend: Callable[..., nn.Module], conditional: Conditional, num_features: int) -> None:
        super().__init__()
        self.dim, self.state_grows = conditional.dim, conditional.state_grows
        self.encoder_dim = conditional.source_embedding.embedding_dim
        """Width of the memory's states."""
        self.frontend: nn.Module = frontend(num_features=num_features, dim=self.encoder_dim)
        self.conditional = conditional
        if conditional.source_embedding.weight is not conditional.embedding.weight:
            conditional.source_embedding.requires_grad_(False)

    @property
    def embedding(self) -> nn.Embedding:
        """Of the transcript's tokens, which a head may share."""
        return self.conditional.embedding

    @property
    def source_embedding(self) -> nn.Embedding:
        """The encoder's, which nothing reads."""
        return self.conditional.source_embedding

    def encode(
        self,
        source: Float[Tensor, "batch time features"],
        document: Int[Tensor, "batch time"] | None = None,
        *,
        with_attention: bool = False,
    ) -> Memory:
        vectors = self.frontend(source, document)
        return self.conditional.encode(vectors, heard(self.frontend, document), with_attention=with_attention)

    def forward(
        self,
        inputs: Int[Tensor, "batch tokens"],
        document: Int[Tensor, "batch tokens"] | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        return self.conditional(inputs, document, memory, state, with_attention=with_attention)
