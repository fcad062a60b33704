"""The transcript that a decoder writes of what it attends to: greedy, or by beam search (Chan et al. 2016, section 3.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lmlab.decoding.decode import decode
from lmlab.decoding.options import Options
from lmlab.types import Memory


class Attention:
    """Without CTC.

    Args:
        num_beams, length_penalty: see Options.
        max_tokens: of a transcript; None: as many as the longest recording of a batch has states.
    """

    reads = frozenset({"decoder"})

    def __init__(self, *, num_beams: int, length_penalty: float | None, max_tokens: int | None) -> None:
        self.max_tokens = max_tokens
        self.options = Options(max_tokens=max_tokens or 1, num_beams=num_beams, length_penalty=length_penalty)

    def __call__(self, model: Any, head: Any, memory: Memory, *, eos: int) -> list[list[int]]:
        """The tokens of each recording, without `<eos>`.

        Args:
            model: a Conditional; the memory is what it made of the recordings.
        """
        batch, longest = memory.states.shape[:2]
        options = replace(self.options, max_tokens=self.max_tokens or longest)
        starts = torch.full((batch, 1), eos, device=memory.states.device)
        return decode(model, head, starts, eos=eos, options=options, memory=memory)
