"""Classes from the state at the first place, as BERT's from that of [CLS] (Devlin et al. 2019, 3)."""

from torch import Tensor

from lmlab.head.pooled import Pooled


class FirstToken(Pooled):
    """See Pooled."""

    def pool(self, states: Tensor, is_real: Tensor) -> Tensor:
        return states[:, 0]
