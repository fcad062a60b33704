"""What a classifier is held against on the same split: the most frequent label, and TF-IDF with logistic regression."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lmlab.examples import Labelled

HAN = ("\u4e00", "\u9fff")

LOOKED_AT = 100
"""Texts by which the script is told."""

LARGEST = 2**24
"""Characters of training text above which the regression would take longer than it is worth."""


def text_baselines(train: Sequence[Labelled], held_out: Sequence[Labelled]) -> dict[str, dict[str, float]]:
    """Accuracy on the held-out examples, one label each.

    Terms are words and pairs of words, or of Chinese text characters and pairs of characters, weighted by sublinear TF-IDF;
    the regression has C=10. The texts of a pair are joined. There is no regression where no text has a term, or where there is
    too much text.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, labels = _parts(train)
    others, true = _parts(held_out)
    most = Counter(labels).most_common(1)[0][0]
    found = {"most frequent label": {"accuracy": true.count(most) / len(true)}}
    start = "".join(texts[:LOOKED_AT])
    is_chinese = sum(HAN[0] <= one <= HAN[1] for one in start) > len(start) / 4
    vectorizer: Any = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), analyzer="char" if is_chinese else "word")
    if sum(map(len, texts)) > LARGEST or not any(map(vectorizer.build_analyzer(), texts)):
        return found
    regression: Any = LogisticRegression(C=10, max_iter=1000)
    regression.fit(vectorizer.fit_transform(texts), labels)
    score = float(regression.score(vectorizer.transform(others), true))
    return {**found, "TF-IDF, logistic regression": {"accuracy": score}}


def _parts(examples: Sequence[Labelled]) -> tuple[list[str], list[str]]:
    return ["\n".join(one.texts) for one in examples], [one.labels[0] for one in examples]
