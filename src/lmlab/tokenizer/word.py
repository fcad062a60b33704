"""Every word is a token and every newline `<eos>`, as on the Penn Treebank (Mikolov et al. 2010).

Each Han character or mark is a word of its own, so that Chinese works; two of them are joined without a blank. For
vectors of words, which are made of other texts than PTB's: lower case, a pattern, segmented Chinese, phrases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from lmlab.tokenizer.pair_counts import PairCounts
from lmlab.tokenizer.trained import Trained
from lmlab.tokenizer.vocabulary import ranked
from lmlab.tokenizer.word_reader import Chinese, WordReader
from lmlab.tokenizer.words import HAN
from lmlab.types import EOS, UNK, Mistake


@dataclass(frozen=True, kw_only=True)
class Word:
    """Words of the training text; others become `<unk>`.

    Args:
        phrases: The score above which two neighbours are one token, `new_york`, which is how `decode` writes it; the
            training text is then read once more for each pass.
    """

    vocab_size: int | None
    min_count: int
    lowercase: bool
    pattern: str | None
    chinese: Chinese
    phrases: float | None
    phrase_discount: float
    phrase_passes: int

    def __post_init__(self) -> None:
        self._reader()  # refuses a pattern that is none

    def train(self, texts: Iterable[str]) -> Trained:
        reader = self._reader()
        if self.phrases is not None:
            texts = list(texts) if iter(texts) is texts else texts  # what can be read once is kept
            for _ in range(self.phrase_passes):
                reader = self._with_phrases(reader, texts)
        counts: Counter[str] = Counter()
        for text in texts:
            for words in reader.words(text):
                counts.update(words)
        del counts["\n"]  # it is <eos>
        if not counts and self.pattern is not None:
            raise Mistake(f"tokenizer.pattern={self.pattern} finds no word in the training text; such as [a-z']+ would")
        vocabulary = ranked(counts, vocab_size=self.vocab_size, min_count=self.min_count)
        tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNK))
        tokenizer.decoder = _joined(with_blanks=self.chinese == "segmented")
        if reader != WordReader():
            return Trained(tokenizer=tokenizer, reader=reader)
        tokenizer.normalizer = normalizers.Replace("\n", f" {EOS} ")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(f"[{HAN}]"), "isolated")]
        )
        return Trained(tokenizer=tokenizer)

    def _reader(self) -> WordReader:
        return WordReader(lowercase=self.lowercase, pattern=self.pattern, chinese=self.chinese)

    def _with_phrases(self, reader: WordReader, texts: Iterable[str]) -> WordReader:
        """One pass: pairs of what the passes before have made."""
        assert self.phrases is not None
        counts = PairCounts()
        for text in texts:
            for words in reader.words(text):
                counts.add(words)
            counts.add(["\n"])
        found = counts.above(self.phrases, discount=self.phrase_discount)
        return replace(reader, phrases=(*reader.phrases, found))


def _joined(*, with_blanks: bool) -> decoders.Decoder:
    """Words with one blank before each, then without those at a line's ends and, it may be, between Han characters."""
    return decoders.Sequence(
        [
            decoders.Replace(Regex(r"\A"), " "),
            decoders.Fuse(),
            decoders.Replace(Regex(rf" {EOS}(?!\S)"), "\n"),
            decoders.Replace("\n ", "\n"),
            *([] if with_blanks else [decoders.Replace(Regex(f"(?<=[{HAN}]) (?=[{HAN}])"), "")]),
            decoders.Strip(" ", 1, 0),
        ]
    )
