"""Classes from the largest value of each dimension over the places (Collobert et al. 2011, 3.3.2; Kim 2014, 2)."""

from torch import Tensor

from lmlab.head.pooled import Pooled


class Max(Pooled):
    """See Pooled."""

    def pool(self, states: Tensor, is_real: Tensor) -> Tensor:
        return states.masked_fill(~is_real[..., None], float("-inf")).amax(dim=1)
