"""Chinese text -> words, by the jieba library: its dictionary, and a hidden Markov model for words that it lacks."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any


def jieba_words(text: str) -> list[str]:
    """Words that make up the text, which has no white space."""
    words: list[str] = _segmenter().lcut(text)
    return words


@cache
def _segmenter() -> Any:
    # Loaded here, as few need it, and without jieba's own way: that says on the terminal what it loads, and reads and
    # writes a cache in the folder for temporary files that all users and jobs share.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about how its source is written
        import jieba
    segmenter = jieba.Tokenizer()
    segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
    segmenter.initialized = True
    return segmenter
