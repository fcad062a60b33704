"""Byte-pair encoding: the most frequent pair of neighbours becomes a token, repeatedly (Sennrich et al. 2016, alg. 1).

Over bytes, as in GPT-2 (Radford et al. 2019), so that nothing is unknown; no token spans two words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import models, trainers

from lmlab.tokenizer.byte_level import alphabet, byte_level
from lmlab.tokenizer.chunks import chunks
from lmlab.tokenizer.trained import Trained
from lmlab.types import EOS, Mistake

LEAST = 257


@dataclass(frozen=True, kw_only=True)
class Bpe:
    """`vocab_size` tokens: `<eos>`, the 256 bytes, then the merges in the order in which they were learned."""

    vocab_size: int
    min_count: int

    def train(self, texts: Iterable[str]) -> Trained:
        if self.vocab_size < LEAST:
            raise Mistake(f"tokenizer.vocab_size={self.vocab_size} is too small; bytes and {EOS} need at least {LEAST}")
        tokenizer = byte_level(models.BPE(), split_words=True)
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            min_frequency=self.min_count,
            special_tokens=[EOS],
            initial_alphabet=alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator((part for text in texts for part in chunks(text)), trainer)
        return Trained(tokenizer=tokenizer)
