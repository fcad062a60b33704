"""Bytes spelt as visible characters (Radford et al. 2019, section 2.2), so that any text is lossless."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

PRINTED = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
"""Bytes that are spelt as the character of the same number."""


def alphabet() -> list[str]:
    """The character for each byte 0 ... 255; the unprinted ones take the numbers from 256 on, in order."""
    unprinted = [byte for byte in range(256) if byte not in PRINTED]
    spelling = {byte: chr(byte) for byte in PRINTED} | {byte: chr(256 + i) for i, byte in enumerate(unprinted)}
    return [spelling[byte] for byte in range(256)]


def byte_level(model: models.BPE, *, split_words: bool) -> Tokenizer:
    """A tokenizer over bytes; with words split at blanks, punctuation and digits as in GPT-2, or not at all."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split_words)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
