"""Texts as weighted terms, for baselines that look things up or tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmlab.chinese import is_chinese

LARGEST = 2**24
"""Characters of training text above which this would take longer than it is worth."""


def weighting(texts: Sequence[str]) -> Any | None:
    """Scikit-learn's sublinear TF-IDF over words and pairs of words, of Chinese over characters and pairs of them; not fitted.

    None where no text has a term, or where there is too much text.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    analyzer = "char" if is_chinese(texts) else "word"
    made = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), analyzer=analyzer)
    is_some = any(map(made.build_analyzer(), texts))
    return made if is_some and sum(map(len, texts)) <= LARGEST else None
