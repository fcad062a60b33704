"""Unigram language model: the most probable segmentation into pieces that EM has found (Kudo 2018, section 3.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lmlab.tokenizer.chunks import chunks
from lmlab.tokenizer.trained import Trained
from lmlab.types import EOS, UNK, Mistake

WORDS = Regex(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
"""GPT-2's words, blank first (Radford et al. 2019): no piece spans two, and none of them is lost."""

DIGITS = 2
"""Of a log-probability: EM adds in an order that changes from run to run, and its last digits with it."""


@dataclass(frozen=True, kw_only=True)
class Unigram:
    """`vocab_size` pieces: `<eos>`, `<unk>`, every character of the training text, and the most useful longer ones."""

    vocab_size: int

    def train(self, texts: Iterable[str]) -> Trained:
        parts = [part for text in texts for part in chunks(text)]
        characters = set().union(*parts)
        least = len(characters) + 2
        if self.vocab_size < least:
            raise Mistake(
                f"tokenizer.vocab_size={self.vocab_size} is too small; {EOS}, {UNK} and "
                f"the {len(characters)} characters of the training text need at least {least}"
            )
        tokenizer = _tokenizer(models.Unigram([(EOS, 0.0), (UNK, 0.0), *_pieces(parts, self.vocab_size)], unk_id=1))
        tokenizer.add_special_tokens([AddedToken(EOS, special=True, normalized=False)])
        return Trained(tokenizer=tokenizer)


def _pieces(parts: list[str], vocab_size: int) -> list[tuple[str, float]]:
    """Pieces and log-probabilities, the most frequent first."""
    learner = _tokenizer(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size, special_tokens=[EOS, UNK], unk_token=UNK, show_progress=False
    )
    learner.train_from_iterator(parts, trainer)
    found = json.loads(learner.to_str())["model"]["vocab"]
    pieces = [(piece, round(score, DIGITS)) for piece, score in found if piece not in (EOS, UNK)]
    # The trainer may learn more than it was asked for; every character stays, so that nothing seen is unknown.
    pieces.sort(key=lambda pair: (len(pair[0]) > 1, -pair[1], pair[0]))
    return sorted(pieces[: vocab_size - 2], key=lambda pair: (-pair[1], pair[0]))


def _tokenizer(model: models.Unigram) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(WORDS, "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer
