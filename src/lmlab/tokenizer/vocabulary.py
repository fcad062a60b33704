"""Closed vocabularies: the most frequent symbols of the training text, in an order that is the same everywhere."""

from __future__ import annotations

from collections import Counter

from lmlab.types import EOS, UNK, Mistake


def ranked(counts: Counter[str], *, vocab_size: int | None, min_count: int) -> dict[str, int]:
    """Symbol -> id: `<eos>`, `<unk>`, then the symbols by falling count, equal counts by code point."""
    if vocab_size is not None and vocab_size < 3:
        raise Mistake(f"tokenizer.vocab_size={vocab_size} is too small; {EOS}, {UNK} and one symbol need at least 3")
    own = [symbol for symbol in counts if symbol not in (EOS, UNK)]
    kept = [symbol for symbol in own if counts[symbol] >= min_count]
    if own and not kept:
        most = max(counts[symbol] for symbol in own)
        raise Mistake(
            f"tokenizer.min_count={min_count} leaves no vocabulary; set tokenizer.min_count to at most {most}"
        )
    kept.sort(key=lambda symbol: (-counts[symbol], symbol))
    symbols = [EOS, UNK, *kept][:vocab_size]
    return {symbol: index for index, symbol in enumerate(symbols)}
