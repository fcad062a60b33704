"""What a recogniser knows of a recording before anything is decoded: how likely each symbol is at each state (CTC)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lmlab.types import Memory


def symbol_log_probs(head: Any, memory: Memory) -> Tensor:
    """[batch, states, symbols] in float32, of which the last is the blank.

    Args:
        head: a Recogniser that has a `ctc`.
    """
    found: Tensor = head.ctc(memory.states).float().log_softmax(dim=-1)
    return found


def num_states(memory: Memory) -> Tensor:
    """How many states of each recording [batch] are no padding."""
    batch, states = memory.states.shape[:2]
    if memory.document is None:
        return memory.states.new_full((batch,), states, dtype=int)  # type: ignore[arg-type]
    return (memory.document > 0).sum(dim=1)
