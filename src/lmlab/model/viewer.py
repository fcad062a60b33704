"""An encoder that reads images: a front end makes of them a sequence of vectors (Dosovitskiy et al. 2021)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Output, SequenceModel


class Viewer(nn.Module):
    """Images -> states.

    Args:
        frontend: (shape, dim) -> a module of images [batch, height, width, channels] -> vectors [batch, patches, dim]; it has
            `num_patches`.
        encoder: which reads vectors; its embedding is not used.
        shape: height, width and channels of the images.
    """

    state_grows = False
    causal = False

    def __init__(
        self, *, frontend: Callable[..., nn.Module], encoder: SequenceModel, shape: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.dim = encoder.dim
        self.frontend: nn.Module = frontend(shape=shape, dim=encoder.dim)
        self.encoder = encoder
        encoder.embedding.requires_grad_(False)

    @property
    def embedding(self) -> nn.Embedding:
        """The encoder's, which nothing reads."""
        return self.encoder.embedding

    def forward(self, images: Float[Tensor, "batch height width channels"]) -> Output:
        return self.encoder(self.frontend(images))
