"""How a text is written for each of several sources or prompts: greedily, or by beam search."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from lmlab.decoding.beam import check, search
from lmlab.decoding.feed import Head
from lmlab.types import Memory, SequenceModel


class Writer:
    """The likeliest texts that are found.

    Args:
        num_beams: texts that are kept at each token; 1: greedily.
        length_penalty: exponent of Wu et al. 2016, equation 14.
        no_repeat_ngram: no so many tokens in a row occur twice in a text; None: any may.
        max_tokens: of a text; None: as the call says.
    """

    def __init__(
        self, *, num_beams: int, length_penalty: float, no_repeat_ngram: int | None, max_tokens: int | None
    ) -> None:
        check(num_beams=num_beams, length_penalty=length_penalty, num_best=1)
        self.num_beams, self.length_penalty = num_beams, length_penalty
        self.no_repeat_ngram, self.max_tokens = no_repeat_ngram, max_tokens

    def __call__(
        self,
        model: SequenceModel,
        head: Head,
        prompt_ids: Int[Tensor, "batch time"],
        document: Int[Tensor, "batch time"],
        memory: Memory | None,
        *,
        eos: int,
        longest: int,
    ) -> list[list[int]]:
        """Ids of what comes behind each prompt, without `eos`; prompts are padded on the left, and memory is of their rows."""
        found = search(
            model,
            head,
            prompt_ids,
            num_beams=self.num_beams,
            max_tokens=self.max_tokens or longest,
            eos=eos,
            length_penalty=self.length_penalty,
            no_repeat_ngram=self.no_repeat_ngram,
            counts_prompt=False,
            memory=memory,
            document=document,
        )
        texts = ([*best.ids] for best, *_ in found)
        return [ids[: ids.index(eos)] if eos in ids else ids for ids in texts]
