"""Scores of written texts against references, one or several for each text: BLEU, chrF, ROUGE, exact match, distinct-n."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, no_type_check

import numpy as np
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer

from lmlab.chinese import ONE_HAN, is_chinese
from lmlab.metric import answers

References = Sequence[Sequence[str]]
"""Of each text its references, at least one."""


def sacre(name: str, references: References) -> Any:
    """The scorer of sacreBLEU: of Chinese, BLEU is counted over characters (its tokenizer `zh`), else over `13a`'s words."""
    if name == "chrf":
        return sacrebleu.CHRF()
    return sacrebleu.BLEU(tokenize="zh" if is_chinese([one[0] for one in references]) else "13a")


def bleu(texts: Sequence[str], references: References) -> dict[str, float]:
    """0 to 100 over the corpus (Papineni et al. 2002; Post 2018)."""
    return {"bleu": float(sacre("bleu", references).corpus_score([*texts], _streams(references)).score)}


def chrf(texts: Sequence[str], references: References) -> dict[str, float]:
    """0 to 100: F2 of character n-grams up to 6 (Popović 2015)."""
    return {"chrf": float(sacre("chrf", references).corpus_score([*texts], _streams(references)).score)}


def exact_match(texts: Sequence[str], references: References) -> dict[str, float]:
    """The share of texts that are one of their references; white space does not count."""
    return {"exact_match": sum(_exact_of_each(texts, references)) / len(texts)}


def _exact_of_each(texts: Sequence[str], references: References) -> list[bool]:
    return [_bare(text) in map(_bare, own) for text, own in zip(texts, references)]


def rouge(texts: Sequence[str], references: References) -> dict[str, float]:
    """0 to 1: mean F1 of words, pairs of words and the longest common subsequence, each the best over the references.

    As Google's rouge_score counts with its stemmer (Lin 2004); of Chinese each character is a word.
    """
    best = _rouge_of_each(texts, references)
    return {name: sum(column) / len(column) for name, column in zip(ROUGE, zip(*best))}


ROUGE = ("rouge1", "rouge2", "rougeL")


def _rouge_of_each(texts: Sequence[str], references: References) -> list[list[float]]:
    is_by_character = is_chinese([one[0] for one in references])
    tokenizer: Any = _Characters() if is_by_character else DefaultTokenizer(use_stemmer=True)
    scorer: Any = RougeScorer(ROUGE, tokenizer=tokenizer)
    return [
        [
            float(max(found[name].fmeasure for found in (scorer.score(reference, text) for reference in own)))
            for name in ROUGE
        ]
        for text, own in zip(texts, references)
    ]


def distinct(texts: Sequence[str], references: References) -> dict[str, float]:
    """The share of different words, and of different pairs of words, among all that were written (Li et al. 2016)."""
    words = [[*text] if ONE_HAN.search(text) else text.split() for text in texts]
    found = {}
    for size in (1, 2):
        grams = [tuple(own[start : start + size]) for own in words for start in range(len(own) - size + 1)]
        found[f"distinct{size}"] = len(set(grams)) / max(len(grams), 1)
    return found


def squad(texts: Sequence[str], references: References) -> dict[str, float]:
    """0 to 1: exact match and F1 of answers as SQuAD counts them; a reference that is empty says that there is none."""
    return answers.scored(texts, _there(references))


def _there(references: References) -> list[list[str]]:
    return [[one for one in own if one] for own in references]


SCORES: dict[str, Callable[[Sequence[str], References], dict[str, float]]] = {
    "bleu": bleu,
    "chrf": chrf,
    "rouge": rouge,
    "exact_match": exact_match,
    "distinct": distinct,
    "squad": squad,
}
"""By the name that a user chooses them by; some have several figures."""


UNIT = 2.0**-20
"""What one count of a figure that is no whole number stands for."""

BLEU_SUMS = ("bleu/length", "bleu/reference", *(f"bleu/{what}{n}" for what in ("match", "gram") for n in range(1, 5)))

CHRF_SUMS = tuple(f"chrf/{what}{n}" for n in range(1, 7) for what in ("gram", "reference", "match"))


@no_type_check
@dataclass(frozen=True)
class Statistics:
    """Of each text, what figures of any sample of texts follow from; none of a score that is no function of sums."""

    units: Mapping[str, float] = field(default_factory=dict)
    """Statistic -> what one count stands for."""
    scores: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Figure -> its function in lmlab.report.corpus_comparison.SCORES, and the statistics that this takes."""
    of_each: Callable[[Sequence[str], References], Any] = lambda texts, references: [[] for _ in texts]


STATISTICS: dict[str, Statistics] = {
    "bleu": Statistics(
        dict.fromkeys(BLEU_SUMS, 1.0),
        {"bleu": ("bleu", BLEU_SUMS)},
        lambda texts, references: _sacre_of_each("bleu", texts, references),
    ),
    "chrf": Statistics(
        dict.fromkeys(CHRF_SUMS, 1.0),
        {"chrf": ("chrf", CHRF_SUMS)},
        lambda texts, references: _sacre_of_each("chrf", texts, references),
    ),
    "rouge": Statistics(
        {**dict.fromkeys((f"sum of {name}" for name in ROUGE), UNIT), "texts of rouge": 1.0},
        {name: ("mean", (f"sum of {name}", "texts of rouge")) for name in ROUGE},
        lambda texts, references: [[*one, 1.0] for one in _rouge_of_each(texts, references)],
    ),
    "exact_match": Statistics(
        {"exact": 1.0, "texts": 1.0},
        {"exact_match": ("accuracy", ("exact", "texts"))},
        lambda texts, references: [[one, 1] for one in _exact_of_each(texts, references)],
    ),
    "distinct": Statistics(),
    "squad": Statistics(
        {"right answers": 1.0, "sum of f1": UNIT, "answers": 1.0},
        {"exact_match": ("accuracy", ("right answers", "answers")), "f1": ("mean", ("sum of f1", "answers"))},
        lambda texts, references: [[*one, 1.0] for one in answers.of_each(texts, _there(references))],
    ),
}
"""By the names of SCORES."""


def statistics(name: str, texts: Sequence[str], references: References) -> np.ndarray:
    """What a score adds up of each text, [text, statistic], in the order of its units."""
    found = STATISTICS[name]
    return np.array(found.of_each(texts, references), dtype=float).reshape(len(texts), len(found.units))


def _sacre_of_each(name: str, texts: Sequence[str], references: References) -> list[list[int]]:
    scorer = sacre(name, references)
    found: list[list[int]] = scorer._extract_corpus_statistics([*texts], _streams(references))
    return found


def scored(names: Sequence[str], texts: Sequence[str], references: References) -> dict[str, float]:
    """The figures of some scores."""
    return {figure: value for name in names for figure, value in SCORES[name](texts, references).items()}


def signatures(names: Sequence[str], texts: Sequence[str], references: References) -> dict[str, str]:
    """sacreBLEU's, which say how a figure was counted, for a paper."""
    found = {}
    for name in ("bleu", "chrf"):
        if name in names:
            scorer = sacre(name, references)
            scorer.corpus_score([*texts], _streams(references))
            found[name] = str(scorer.get_signature())
    return found


class _Characters:
    """A tokenizer of rouge_score."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[a-z0-9]+|[^\W_]", text.lower())


def _streams(references: References) -> list[list[str | None]]:
    """The first reference of each text, then the second, None where there is none."""
    width = max(map(len, references))
    return [[own[number] if number < len(own) else None for own in references] for number in range(width)]


def _bare(text: str) -> str:
    return " ".join(text.split())
