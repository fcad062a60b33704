"""How texts are decoded: greedy, drawn, or by beam search; what does not go together is refused."""

from __future__ import annotations

from dataclasses import dataclass

from lmlab.decoding.beam import check
from lmlab.decoding.sample import Chooser, chooser
from lmlab.types import Mistake


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user sets; by default greedy."""

    max_tokens: int
    temperature: float = 0.0
    """Above 0: tokens are drawn."""
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram: int | None = None
    num_beams: int = 1
    """Above 1: beam search."""
    length_penalty: float | None = None
    """alpha of Wu et al. 2016; None: 0."""
    seed: int = 0

    def __post_init__(self) -> None:
        check(num_beams=self.num_beams, length_penalty=self.length_penalty or 0.0, num_best=1)
        if self.num_beams == 1:
            if self.length_penalty is not None:
                raise Mistake(
                    f"length_penalty={self.length_penalty} compares the texts of a beam search, and num_beams=1 is none; "
                    "set num_beams=4, say, or length_penalty=null"
                )
            self.chooser(eos=None)
            return
        drawing = {"top_k": self.top_k, "top_p": self.top_p, "min_p": self.min_p}
        single = {"temperature": self.temperature or None, "repetition_penalty": self.repetition_penalty, **drawing}
        for name, value in single.items():
            if value is not None:
                raise Mistake(
                    f"{name}={value} chooses one token at a time, and num_beams={self.num_beams} compares whole texts; "
                    f"leave {name} out, or set num_beams=1"
                )

    def chooser(self, *, eos: int | None, begin: int = 0) -> Chooser:
        """What chooses tokens one at a time; n-grams count from the column `begin`."""
        return chooser(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram=self.no_repeat_ngram,
            eos=eos,
            begin=begin,
        )
