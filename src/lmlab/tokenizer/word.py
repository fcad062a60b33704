"""Every word is a token and every newline `<eos>`, as on the Penn Treebank (Mikolov et al. 2010).

Each Han character or mark is a word of its own, so that Chinese works; two of them are joined without a blank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from lmlab.tokenizer.trained import Trained
from lmlab.tokenizer.vocabulary import ranked
from lmlab.tokenizer.words import HAN, WORD
from lmlab.types import EOS, UNK


@dataclass(frozen=True, kw_only=True)
class Word:
    """Words of the training text between white space; others become `<unk>`."""

    vocab_size: int | None
    min_count: int

    def train(self, texts: Iterable[str]) -> Trained:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(match.group() for match in WORD.finditer(text))
        del counts["\n"]  # it is <eos>
        vocabulary = ranked(counts, vocab_size=self.vocab_size, min_count=self.min_count)
        tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNK))
        tokenizer.normalizer = normalizers.Replace("\n", f" {EOS} ")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(f"[{HAN}]"), "isolated")]
        )
        tokenizer.decoder = _joined()
        return Trained(tokenizer=tokenizer)


def _joined() -> decoders.Decoder:
    """Words with one blank before each, then without those at a line's ends and between Han characters."""
    return decoders.Sequence(
        [
            decoders.Replace(Regex(r"\A"), " "),
            decoders.Fuse(),
            decoders.Replace(Regex(rf" {EOS}(?!\S)"), "\n"),
            decoders.Replace("\n ", "\n"),
            decoders.Replace(Regex(f"(?<=[{HAN}]) (?=[{HAN}])"), ""),
            decoders.Strip(" ", 1, 0),
        ]
    )
