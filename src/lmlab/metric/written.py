"""Scores of written texts against references, one or several for each text: BLEU, chrF, ROUGE, exact match, distinct-n."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

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
    right = sum(_bare(text) in map(_bare, own) for text, own in zip(texts, references))
    return {"exact_match": right / len(texts)}


def rouge(texts: Sequence[str], references: References) -> dict[str, float]:
    """0 to 1: mean F1 of words, pairs of words and the longest common subsequence, each the best over the references.

    As Google's rouge_score counts with its stemmer (Lin 2004); of Chinese each character is a word.
    """
    names = ("rouge1", "rouge2", "rougeL")
    is_by_character = is_chinese([one[0] for one in references])
    tokenizer: Any = _Characters() if is_by_character else DefaultTokenizer(use_stemmer=True)
    scorer: Any = RougeScorer(names, tokenizer=tokenizer)
    best = [
        [max(found[name].fmeasure for found in (scorer.score(reference, text) for reference in own)) for name in names]
        for text, own in zip(texts, references)
    ]
    return {name: sum(column) / len(column) for name, column in zip(names, zip(*best))}


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
    return answers.scored(texts, [[one for one in own if one] for own in references])


SCORES: dict[str, Callable[[Sequence[str], References], dict[str, float]]] = {
    "bleu": bleu,
    "chrf": chrf,
    "rouge": rouge,
    "exact_match": exact_match,
    "distinct": distinct,
    "squad": squad,
}
"""By the name that a user chooses them by; some have several figures."""


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
