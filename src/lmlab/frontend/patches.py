"""An image as a sequence of patches, each flattened and mapped, with a vector for its place (Dosovitskiy et al. 2021, eq. 1)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Mistake


class Patches(nn.Module):
    """Images -> a vector of the model's width for each patch, row by row; there is no class token: states are pooled.

    Args:
        shape: height, width and channels of the images.
        dim: of the model.
        size: pixels of each side of a patch.
        places: whether a learnt vector for its place is added to each patch.
    """

    def __init__(self, *, shape: tuple[int, int, int], dim: int, size: int, places: bool) -> None:
        super().__init__()
        height, width, channels = shape
        if size < 1 or height % size or width % size:
            divisors = ", ".join(str(one) for one in range(1, height + 1) if not height % one and not width % one)
            raise Mistake(
                f"frontend.size={size} does not divide images of {height} x {width} pixels; set it to one of {divisors}"
            )
        self.size, self.num_patches = size, (height // size) * (width // size)
        self.map = nn.Linear(size * size * channels, dim)
        self.place = nn.Parameter(0.02 * torch.randn(self.num_patches, dim)) if places else None

    def forward(self, images: Float[Tensor, "batch height width channels"]) -> Float[Tensor, "batch patches dim"]:
        vectors: Tensor = self.map(patches(images, self.size))
        return vectors if self.place is None else vectors + self.place


def patches(images: Float[Tensor, "batch height width channels"], size: int) -> Float[Tensor, "batch patches values"]:
    """Squares of `size` pixels, row by row, each flattened row by row with its channels last."""
    batch, height, width, channels = images.shape
    cut = images.reshape(batch, height // size, size, width // size, size, channels)
    return cut.permute(0, 1, 3, 2, 4, 5).reshape(batch, -1, size * size * channels)
