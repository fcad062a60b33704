"""A caption from left to right by a decoder that reads the image's states (Vinyals et al. 2015; Xu et al. 2015)."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.head.next_token import NextToken
from lmlab.types import Memory, ModelFactory, Output


class Captioning(nn.Module):
    """States of an image and what is written so far -> the logits of what comes next.

    Args:
        dim: of the image's states.
        text_vocab_size: tokens that the texts are made of.
        text: makes the decoder, which reads a memory.
        tie_weights: the output has the embedding's weights.
    """

    def __init__(self, *, dim: int, text_vocab_size: int, text: ModelFactory, tie_weights: bool) -> None:
        super().__init__()
        self.text = text(vocab_size=text_vocab_size, causal=True, memory_dim=dim)
        self.output = NextToken(
            dim=self.text.dim,
            vocab_size=text_vocab_size,
            embedding=self.text.embedding,
            tie_weights=tie_weights,
            bias=False,
            scale_states=False,
            init_range=None,
        )

    def forward(
        self,
        states: Float[Tensor, "batch patches dim"],
        ids: Int[Tensor, "batch time"],
        document: Int[Tensor, "batch time"] | None,
    ) -> tuple[Float[Tensor, "batch time vocab"], Output]:
        """Logits, and what the decoder returned."""
        output = self.text(ids, document, Memory(states))
        return self.output(output.states), output
