"""Classes from the mean of the states (Joulin et al. 2017, 2)."""

from torch import Tensor

from lmlab.head.pooled import Pooled


class Mean(Pooled):
    """See Pooled."""

    def pool(self, states: Tensor, is_real: Tensor) -> Tensor:
        weights = is_real[..., None].to(states.dtype)
        return (states * weights).sum(dim=1) / weights.sum(dim=1)
