"""Whether an image and a caption belong together, asked of every pair of the batch (Zhai et al. 2023, eq. 1: SigLIP)."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from lmlab.head.towers import Towers


class SigmoidContrastive(Towers):
    """See Towers; the bias of -10 is the paper's, under which most pairs are taken for strangers at first."""

    first_bias = -10.0

    @staticmethod
    def directed(logits: Float[Tensor, "query candidates"], belongs: Bool[Tensor, "query candidates"]) -> Tensor:
        """-log p of the right answers about all candidates, summed [query]; any number of them may belong to a query."""
        found: Tensor = -logsigmoid(logits.where(belongs, -logits)).sum(dim=1)
        return found
