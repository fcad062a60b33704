"""When an answer is right, and how nearly: exact match and F1 of words as SQuAD counts them (Rajpurkar et al. 2016, 6.1).

Lower case, without marks of punctuation and English articles. Each Han character is a word of its own, and the marks of
Chinese script are marks as well (Cui et al. 2019 count so). Unlike SQuAD's, an answer of marks or articles alone, such as
`()`, is compared as it is, rather than taken for none.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from lmlab.chinese import ONE_HAN

MARKS = re.compile(
    f"[{re.escape(string.punctuation)}\u3001-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
)
MARKS_BESIDE_HAN = re.compile("[\u00b7\u2014\u2018-\u201d\u2026]")
"""That Chinese shares with other scripts, where SQuAD lets them be."""
ARTICLES = re.compile(r"\b(a|an|the)\b")


def words(answer: str) -> list[str]:
    """What is compared of an answer."""
    bare = MARKS.sub("", answer.lower())
    if ONE_HAN.search(bare):
        bare = ONE_HAN.sub(r" \g<0> ", MARKS_BESIDE_HAN.sub("", bare))
    return ARTICLES.sub(" ", bare).split() or answer.split()


def is_equal(answer: str, right: str) -> float:
    """1 where both are the same words in the same order."""
    return float(words(answer) == words(right))


def f1(answer: str, right: str) -> float:
    """Of the words that both have, as often as both have them; of none, 1 where there is none on either side."""
    said, true = words(answer), words(right)
    if not said or not true:
        return float(said == true)
    num_common = sum((Counter(said) & Counter(true)).values())
    return 2 * num_common / (len(said) + len(true))


def best_over(score: Callable[[str, str], float], answer: str, right: Sequence[str]) -> float:
    """The best over what is right; where nothing is, the empty answer is."""
    return max(score(answer, one) for one in right or [""])


def of_each(answers: Sequence[str], right: Sequence[Sequence[str]]) -> list[tuple[float, float]]:
    """Exact match and F1 of each answer."""
    return [(best_over(is_equal, one, own), best_over(f1, one, own)) for one, own in zip(answers, right)]


def scored(answers: Sequence[str], right: Sequence[Sequence[str]]) -> dict[str, float]:
    """Exact match and F1 of a split, 0 to 1, and apart for questions with and without an answer where there are both."""
    of_all = of_each(answers, right)
    groups = {"": of_all}
    if len({bool(own) for own in right}) == 2:
        groups["answerable_"] = [pair for pair, own in zip(of_all, right) if own]
        groups["no_answer_"] = [pair for pair, own in zip(of_all, right) if not own]
    names = ("exact_match", "f1")
    found = {
        f"{group}{name}": sum(pair[number] for pair in pairs) / max(1, len(pairs))
        for group, pairs in groups.items()
        for number, name in enumerate(names)
    }
    found.pop("no_answer_f1", None)  # it is the exact match
    return found
