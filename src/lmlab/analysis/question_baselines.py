"""What an answerer is held against on the same split: no answer, the sentence most like the question, what follows its words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from lmlab.chinese import HAN
from lmlab.examples import Question

WORD = re.compile(rf"[{HAN}]|[^\W{HAN}]+")
SENTENCE = re.compile(r"[^\n。！？!?]+?(?:[。！？!?]|\.(?=\s)|\n|$)")
"""To a mark that ends one, or the end of a line."""


def question_baselines(train: Sequence[Question], held_out: Sequence[Question]) -> dict[str, list[str]]:
    """The answers of each method to the held-out questions, empty for none.

    `what follows the longest match` finds the longest run of words of the question in the context and answers with the words
    behind it, as many as an answer of the training split has in the middle.
    """
    lengths = [len(WORD.findall(answer.text)) for one in train for answer in one.answers[:1]]
    length = max(1, int(median(lengths or [1])))
    return {
        "no answer": ["" for _ in held_out],
        "best sentence": [best_sentence(one) for one in held_out],
        "what follows the longest match": [behind_match(one, length) for one in held_out],
    }


def best_sentence(question: Question) -> str:
    """The sentence of the context with most words of the question, the first of equal ones."""
    asked = Counter(WORD.findall(question.question.lower()))
    sentences = [match.group().strip() for match in SENTENCE.finditer(question.context)]
    return max(
        filter(None, sentences),
        key=lambda one: sum((Counter(WORD.findall(one.lower())) & asked).values()),
        default=question.context.strip(),
    )


def behind_match(question: Question, length: int) -> str:
    """The words behind the longest run that question and context share, the first of equal ones; before it at the end."""
    asked = WORD.findall(question.question.lower())
    places = [(match.start(), match.end()) for match in WORD.finditer(question.context)]
    words = [question.context[start:end].lower() for start, end in places]
    if not words:
        return ""
    end = _end_of_match(asked, words)
    first = min(end, len(words) - 1)
    last = min(first + length, len(words)) - 1
    return question.context[places[first][0] : places[last][1]]


def _end_of_match(asked: Sequence[str], words: Sequence[str]) -> int:
    """The word of the context behind the run; 0 where they share none."""
    longest, found = 0, 0
    before = [0] * (len(asked) + 1)
    for number, word in enumerate(words):
        now = [0] * (len(asked) + 1)
        for place, one in enumerate(asked):
            if one == word:
                now[place + 1] = before[place] + 1
                if now[place + 1] > longest:
                    longest, found = now[place + 1], number + 1
        before = now
    return found
