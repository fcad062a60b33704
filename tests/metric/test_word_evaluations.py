"""Each set has a metric under the name of its figure, and one without known words has none."""

import torch

from lmlab.metric.analogy import cos_add, cos_mul
from lmlab.metric.word_evaluations import word_evaluations
from lmlab.types import Analogy, WordPair

WORDS = ("<eos>", "<unk>", "a", "b", "c", "d")


def test_metrics_have_the_names_of_their_figures(caplog):
    caplog.set_level("INFO")
    found = word_evaluations(
        WORDS,
        similarity={"men": [WordPair("a", "b", 1.0), WordPair("a", "c", 2.0)], "rare_words": [WordPair("x", "b", 1.0)]},
        analogy={
            "analogy": [Analogy("s", False, ("a", "b", "c", "d"))],
            "ca8": [Analogy("s", False, ("一", "二", "三", "四"))],
        },
        rules={"": cos_add, "_mul": cos_mul},
    )
    assert list(found) == ["similarity/men", "analogy@30k", "analogy_mul@30k", "analogy@full", "analogy_mul@full"]
    assert "left out, since the vocabulary lacks their words: rare_words, ca8" in caplog.text
    vectors = torch.eye(6)
    for metric in found.values():
        metric.update(vectors)
    assert found["analogy@30k"].compute()["coverage"] == 1.0
