"""Images and texts as vectors in one space, where those that belong together are near (Radford et al. 2021, section 2.3)."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lmlab.types import ModelFactory, Output

LARGEST = 100.0
"""The cosine is multiplied by no more (Radford et al. 2021, section 2.5)."""


class Towers(nn.Module):
    """The mean of the states of each side, projected to one width and to length 1; a subclass says what is minimised.

    Args:
        dim: of the image's states.
        text_vocab_size: tokens that the texts are made of.
        text: makes the encoder of texts.
        joint_dim: width of the space.
        temperature: by which cosines are divided at first; it is learnt.
    """

    first_bias: float | None = None
    """What is added to every similarity at first, where the loss is not the same under any."""

    def __init__(
        self, *, dim: int, text_vocab_size: int, text: ModelFactory, joint_dim: int, temperature: float
    ) -> None:
        super().__init__()
        self.text = text(vocab_size=text_vocab_size, causal=False)
        self.image_projection = nn.Linear(dim, joint_dim, bias=False)
        self.text_projection = nn.Linear(self.text.dim, joint_dim, bias=False)
        for projection, width in ((self.image_projection, dim), (self.text_projection, self.text.dim)):
            nn.init.normal_(projection.weight, std=width**-0.5)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.bias = None if self.first_bias is None else nn.Parameter(torch.tensor(self.first_bias))

    def images(self, states: Float[Tensor, "batch patches dim"]) -> Float[Tensor, "batch joint"]:
        """One vector for each image, as long as its similarities are multiplied by; behind it the bias."""
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(LARGEST))
        vectors = nn.functional.normalize(self.image_projection(states.mean(dim=1)).float(), dim=-1)
        bias = vectors.new_zeros(()) if self.bias is None else self.bias
        return torch.cat([vectors * self.log_scale.exp(), bias.expand(len(vectors), 1)], dim=1)

    def texts(
        self, ids: Int[Tensor, "batch time"], document: Int[Tensor, "batch time"] | None
    ) -> tuple[Float[Tensor, "batch joint"], Output]:
        """One vector for each text, behind it a 1 for the bias; and what the encoder returned."""
        output = self.text(ids, document)
        is_real = torch.ones_like(ids, dtype=torch.bool) if document is None else document > 0
        weights = is_real[..., None].to(output.states.dtype)
        pooled = (output.states * weights).sum(dim=1) / weights.sum(dim=1)
        vectors = nn.functional.normalize(self.text_projection(pooled).float(), dim=-1)
        return torch.cat([vectors, vectors.new_ones(len(vectors), 1)], dim=1), output

    @staticmethod
    def directed(logits: Float[Tensor, "query candidates"], belongs: Bool[Tensor, "query candidates"]) -> Tensor:
        """The loss [query] of finding what belongs to each query among all candidates."""
        raise NotImplementedError
