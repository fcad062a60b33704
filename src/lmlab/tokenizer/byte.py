"""Every byte of the UTF-8 text is a token: 256 of them, and `<eos>`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import AddedToken, models

from lmlab.tokenizer.byte_level import alphabet, byte_level
from lmlab.tokenizer.trained import Trained
from lmlab.types import EOS


@dataclass(frozen=True, kw_only=True)
class Byte:
    """The id is the byte; nothing is learned."""

    def train(self, texts: Iterable[str]) -> Trained:
        vocabulary = {spelling: byte for byte, spelling in enumerate(alphabet())} | {EOS: 256}
        tokenizer = byte_level(models.BPE(vocab=vocabulary, merges=[]), split_words=False)
        tokenizer.add_special_tokens([AddedToken(EOS, special=True, normalized=False)])
        return Trained(tokenizer=tokenizer)
