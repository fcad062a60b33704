"""An encoder that reads features of another width and rate: a front end makes of them what the encoder takes."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.types import Memory, Output, SequenceModel, State


class Listener(nn.Module):
    """Frames of a recording -> states, fewer of them.

    Args:
        frontend: (num_features, dim) -> a module of features [batch, time, num_features] and document [batch, time], or None
            where nothing is padding, -> vectors [batch, states, dim]; its `factor` are the frames that one stands for.
        encoder: which reads vectors; its embedding is not used.
    """

    state_grows = False
    causal = False

    def __init__(self, *, frontend: Callable[..., nn.Module], encoder: SequenceModel, num_features: int) -> None:
        super().__init__()
        self.dim = encoder.dim
        self.frontend: nn.Module = frontend(num_features=num_features, dim=encoder.dim)
        self.encoder = encoder
        encoder.embedding.requires_grad_(False)

    @property
    def embedding(self) -> nn.Embedding:
        """The encoder's, which nothing reads."""
        return self.encoder.embedding

    @property
    def encoder_dim(self) -> int:
        """Width of the memory's states."""
        return self.dim

    def forward(
        self,
        inputs: Float[Tensor, "batch time features"],
        document: Int[Tensor, "batch time"] | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        assert memory is None, "it was built without a memory"
        assert state is None, "an encoder sees its whole input at once"
        vectors = self.frontend(inputs, document)
        return self.encoder(vectors, heard(self.frontend, document), with_attention=with_attention)

    def encode(
        self,
        source: Float[Tensor, "batch time features"],
        document: Int[Tensor, "batch time"] | None = None,
        *,
        with_attention: bool = False,
    ) -> Memory:
        """The states with their document: 0 where there is padding alone."""
        output = self(source, document, with_attention=with_attention)
        return Memory(output.states, heard(self.frontend, document), extras=output.extras)


def heard(frontend: nn.Module, document: Int[Tensor, "batch time"] | None) -> Int[Tensor, "batch states"] | None:
    """Of states, what `document` is of frames: 0 where there is padding alone."""
    factor: int = frontend.factor  # type: ignore[assignment]
    return None if document is None else document[:, ::factor]
