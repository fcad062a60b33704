"""What a head makes of a model's output: most read the states alone, one that copies reads the source as well."""

from typing import Any

from torch import Tensor

from lmlab.types import Copying, Mistake, Output


def asked(head: Any) -> dict[str, Any]:
    """What a model is asked for beside its states, for this head."""
    return {"with_attention": True} if isinstance(head, Copying) else {}


def predicted(head: Any, output: Output, source: Tensor | None, *, last: bool = False) -> Tensor:
    """Logits [batch, time, vocab]; with `last` those of the last position alone.

    Args:
        output: of a model called with what `asked` says.
        source: ids [batch, source], None where a model has no source.

    Raises:
        Mistake: for a head that copies where there is nothing to copy from.
    """
    states = output.states[:, -1:] if last else output.states
    if not isinstance(head, Copying):
        logits: Tensor = head(states)
        return logits
    if source is None or not output.extras.cross_attention:
        raise Mistake(
            "head=pointer copies what a decoder looks at in its source, and this model has no source or does not look at it; "
            "choose model=seq2seq with model/cross_attention=additive, say, or head=next_token"
        )
    weights = output.extras.cross_attention[-1].mean(dim=1)
    return head(states, weights[:, -1:] if last else weights, source)
