"""What a classifier is held against on the same split: the most frequent label, and TF-IDF with logistic regression."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lmlab.analysis.terms import weighting
from lmlab.examples import Labelled


def text_baselines(train: Sequence[Labelled], held_out: Sequence[Labelled]) -> dict[str, dict[str, float]]:
    """Accuracy on the held-out examples, one label each.

    The regression has C=10, on the terms of lmlab.analysis.terms; there is none where these are none. The texts of a pair are
    joined.
    """
    from sklearn.linear_model import LogisticRegression

    texts, labels = _parts(train)
    others, true = _parts(held_out)
    most = Counter(labels).most_common(1)[0][0]
    found = {"most frequent label": {"accuracy": true.count(most) / len(true)}}
    if (terms := weighting(texts)) is None:
        return found
    regression: Any = LogisticRegression(C=10, max_iter=1000)
    regression.fit(terms.fit_transform(texts), labels)
    score = float(regression.score(terms.transform(others), true))
    return {**found, "TF-IDF, logistic regression": {"accuracy": score}}


def _parts(examples: Sequence[Labelled]) -> tuple[list[str], list[str]]:
    return ["\n".join(one.texts) for one in examples], [one.labels[0] for one in examples]
