"""Which document each position of a call belongs to, and which one each row was in before it."""

import torch
from torch import Tensor


def numbers(
    document: Tensor | None, inputs: Tensor, seen: tuple[Tensor, ...], *, is_fresh: bool
) -> tuple[Tensor, Tensor | None] | None:
    """Numbers [batch, time] and each row's last [batch], None in a fresh call; None where no number was ever given.

    A call without numbers is document 1.

    Args:
        seen: what the state holds of the calls before: each row's last number, or nothing.
    """
    if document is None and not seen:
        return None
    if document is None:
        document = seen[0].new_ones(inputs.shape[:2])
    if seen:
        return document, seen[0]
    return document, None if is_fresh else torch.ones_like(document[:, 0])
