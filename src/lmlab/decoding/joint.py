"""One-pass beam search by w log p_ctc + (1 - w) log p_attention of each prefix (Watanabe et al. 2017, section IV-C)."""

from __future__ import annotations

from typing import Any

import torch

from lmlab.decoding.beam import check, search
from lmlab.decoding.ctc_prefix import CtcPrefix
from lmlab.recognition import num_states, symbol_log_probs
from lmlab.types import Memory, Mistake


class Joint:
    """Of a head that has both.

    Args:
        ctc_weight: w.
        num_beams, length_penalty, max_tokens: see Attention.
    """

    reads = frozenset({"ctc", "decoder"})

    def __init__(
        self, *, ctc_weight: float, num_beams: int, length_penalty: float | None, max_tokens: int | None
    ) -> None:
        if not 0 < ctc_weight < 1:
            raise Mistake(
                f"decoding.ctc_weight={ctc_weight} is not between 0 and 1; set it to 0.3, say, or choose decoding=attention "
                "or decoding=ctc_beam"
            )
        check(num_beams=num_beams, length_penalty=length_penalty or 0.0, num_best=1)
        self.ctc_weight, self.num_beams, self.max_tokens = ctc_weight, num_beams, max_tokens
        self.length_penalty = length_penalty or 0.0

    @torch.inference_mode()
    def __call__(self, model: Any, head: Any, memory: Memory, *, eos: int) -> list[list[int]]:
        """The tokens of each recording, without `<eos>`."""
        batch, longest = memory.states.shape[:2]
        found = search(
            model,
            head,
            torch.full((batch, 1), eos, device=memory.states.device),
            num_beams=self.num_beams,
            max_tokens=self.max_tokens or longest,
            eos=eos,
            length_penalty=self.length_penalty,
            memory=memory,
            rescored=self.scorer(head, memory, eos=eos),
        )
        return [best[0].ids for best in found]

    def scorer(self, head: Any, memory: Memory, *, eos: int) -> CtcPrefix:
        """Of one search on these recordings."""
        return CtcPrefix(symbol_log_probs(head, memory), num_states(memory), weight=self.ctc_weight, eos=eos)
