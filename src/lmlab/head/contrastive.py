"""Which caption belongs to an image, and which image to a caption: a softmax over the batch (Radford et al. 2021, fig. 3)."""

from jaxtyping import Bool, Float
from torch import Tensor

from lmlab.head.towers import Towers


class Contrastive(Towers):
    """See Towers. The loss of a pair is the mean of both directions."""

    @staticmethod
    def directed(logits: Float[Tensor, "query candidates"], belongs: Bool[Tensor, "query candidates"]) -> Tensor:
        """Cross-entropy [query] with a target of equal shares for all that belong to the query.

        Where one candidate alone does, this is the paper's. Where k do, log k is the least that it can be.
        """
        share = belongs.to(logits) / belongs.sum(dim=1, keepdim=True)
        found: Tensor = -(share * logits.log_softmax(dim=1)).sum(dim=1)
        return found
