"""Which position and pattern an attention can take: what it cannot use is refused when the model is built."""

import torch

from lmlab.types import Attention, Mistake, Pattern, Position


def check(attention: Attention, position: Position, pattern: Pattern, *, kinds: set[int], causal: bool) -> None:
    """Asks position and pattern for what they would say of a single place.

    Raises:
        Mistake: where the attention would not heed it.
    """
    place = torch.zeros(1, 1, dtype=torch.long)
    score, scheme = f"model.attention ({type(attention).__name__})", f"model.position ({type(position).__name__})"
    if position.relation(place, place) is not None and not attention.takes_relation:
        raise Mistake(
            f"{scheme} adds vectors to keys, and {score} has no place for them; choose model/attention=scaled_dot, dot or "
            "general, or another model/position"
        )
    if attention.state_grows:
        return
    if position.bias(place, place) is not None:
        raise Mistake(
            f"{scheme} adds to the score of each pair, and {score} never computes one; choose model/position=rotary, "
            "sinusoidal or none, or model/attention=scaled_dot"
        )
    if causal and position.max_length is not None:
        raise Mistake(
            f"{scheme} has {position.max_length} places, and {score} keeps a state that goes on without end; choose "
            "model/position=rotary, sinusoidal or none, or model/attention=scaled_dot"
        )
    if _lengthens(position, attention.head_dim):
        raise Mistake(
            f"{scheme} lengthens queries and keys as a temperature of the softmax, and {score} has none; set "
            "model.position.scaling.attention_factor=1.0"
        )
    if any(pattern.allowed(place, place, kind) is not None for kind in kinds):
        raise Mistake(
            f"model.pattern ({type(pattern).__name__}) hides single pairs, and {score} never computes one; choose "
            "model/pattern=full, or model/attention=scaled_dot"
        )


def _lengthens(position: Position, head_dim: int) -> bool:
    """Whether a rotation by nothing leaves a vector as it is."""
    rotate = position.rotation(torch.zeros(1, 1, dtype=torch.long, device="cpu"))
    vector = torch.ones(1, 1, 1, head_dim, device="cpu")
    return rotate is not None and not torch.equal(rotate(vector), vector)
