"""Every character is a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models

from lmlab.tokenizer.trained import Trained
from lmlab.tokenizer.vocabulary import ranked
from lmlab.types import EOS, UNK


@dataclass(frozen=True, kw_only=True)
class Char:
    """Characters of the training text; others become `<unk>`."""

    vocab_size: int | None
    min_count: int

    def train(self, texts: Iterable[str]) -> Trained:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        vocabulary = ranked(counts, vocab_size=self.vocab_size, min_count=self.min_count)
        # Byte-pair encoding without a merge is an encoding by characters, and the fastest that the library has.
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNK))
        tokenizer.decoder = decoders.Fuse()
        tokenizer.add_special_tokens([AddedToken(EOS, special=True, normalized=False)])
        return Trained(tokenizer=tokenizer)
