"""The metrics of a run's word vectors by the names of their figures: `similarity/men`, `analogy@30k`, `analogy@full`."""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from torchmetrics import Metric

from lmlab.metric.analogy import Analogy, Rule, cos_add
from lmlab.metric.word_similarity import WordSimilarity
from lmlab.types import Analogy as Question
from lmlab.types import WordPair

SIZES: Mapping[str, int | None] = MappingProxyType({"30k": 30_000, "full": None})
"""How many of the most frequent words take part in an analogy."""

RULES: Mapping[str, Rule] = MappingProxyType({"": cos_add})
"""What stands behind the name of the set -> how an answer is chosen; `{"_mul": cos_mul}` would give `analogy_mul@full`."""

log = logging.getLogger(__name__)


def word_evaluations(
    words: Sequence[str],
    *,
    similarity: Mapping[str, Sequence[WordPair]],
    analogy: Mapping[str, Sequence[Question]],
    rules: Mapping[str, Rule] = RULES,
) -> dict[str, Metric]:
    """One metric per set and size; a set whose words the vocabulary lacks has none, and the log says so."""
    metrics: dict[str, Metric] = {}
    absent = []
    for name, pairs in similarity.items():
        measured = WordSimilarity(words=words, pairs=pairs, name=name)
        if len(measured.scores) > 1:
            metrics[f"similarity/{name}"] = measured
        else:
            absent.append(name)
    for name, questions in analogy.items():
        for size, num in SIZES.items():
            for suffix, rule in rules.items():
                answers = Analogy(words=words, questions=questions, num_candidates=num, rule=rule)
                if any(answers.answered):
                    metrics[f"{name}{suffix}@{size}"] = answers
                elif num is None and name not in absent:
                    absent.append(name)
    if absent:
        log.info("left out, since the vocabulary lacks their words: %s", ", ".join(absent))
    return metrics
