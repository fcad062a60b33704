"""A dropped word is dropped wherever it stands in the batch: rows of the embedding are (Merity et al. 2018, 4.3).

A head that is tied to the embedding keeps all rows.
"""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.dropout import _DropoutNd


class EmbeddingDropout(_DropoutNd):
    """A mask over the vocabulary for one call, scaled by 1 / (1 - p)."""

    def forward(
        self, states: Float[Tensor, "batch time dim"], ids: Int[Tensor, "batch time"], vocab_size: int
    ) -> Float[Tensor, "batch time dim"]:
        if not self.training or self.p == 0:
            return states
        return states * F.dropout(states.new_ones(vocab_size), self.p)[ids][..., None]
