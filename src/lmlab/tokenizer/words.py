"""What counts as a word: a run between white space, one Chinese character or mark, or the end of a line.

One definition for the word tokenizer and for the word perplexity of every other tokenizer, so that they compare.
"""

from __future__ import annotations

import re

HAN = "\u3001-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U000323af"
"""Characters and punctuation marks of Chinese script, for the inside of a character class."""

SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Unicode's White_Space, as the tokenizers library splits; Python's own \\s has four control characters more."""

WORD = re.compile(rf"[{HAN}]|[^{HAN}{SPACE}]+|\n")


def num_words(text: str) -> int:
    """Words of a document with one `<eos>` per line, as published figures on PTB and WikiText count them."""
    words = WORD.findall(text)
    return len(words) + (words[-1:] != ["\n"])
