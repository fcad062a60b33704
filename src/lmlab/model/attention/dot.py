"""softmax(Q K^T) V: the unscaled score (Luong et al. 2015, eq. 8, dot; compared in Vaswani et al. 2017, 3.2.1)."""

from jaxtyping import Float
from torch import Tensor

from lmlab.model.attention.multi_head import MultiHead
from lmlab.model.attention.product import attend
from lmlab.model.attention.related import related
from lmlab.types import Mask


class Dot(MultiHead):
    """By any kernel, with weights by the formula; a subclass says what is multiplied, and the scale."""

    scale = 1.0
    takes_relation = True

    def attend(
        self,
        queries: Float[Tensor, "batch heads query head_dim"],
        keys: Float[Tensor, "batch kv_heads key head_dim"],
        values: Float[Tensor, "batch kv_heads key head_dim"],
        mask: Mask,
        *,
        backend: str,
        dropout: float,
        with_weights: bool,
    ) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"] | None]:
        if mask.relation is not None:
            attended, weights = related(
                queries,
                keys,
                values,
                mask,
                mask.relation,
                scale=self.scale,
                logit_cap=self.logit_cap,
                sinks=self.sink_logits(),
                dropout=dropout,
            )
            return attended, weights if with_weights else None
        return attend(
            backend,
            queries,
            keys,
            values,
            mask,
            scale=self.scale,
            logit_cap=self.logit_cap,
            sinks=self.sink_logits(),
            dropout=dropout,
            with_weights=with_weights,
        )
