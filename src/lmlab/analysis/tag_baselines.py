"""What a tagger is held against on the same split: the most frequent tag, and that of each word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from lmlab.examples import Tagged
from lmlab.spans import Span, have_spans, spans


def tag_baselines(train: Sequence[Tagged], held_out: Sequence[Tagged]) -> dict[str, dict[str, float]]:
    """Accuracy on the held-out words, and F1 of spans where there are any; what training has not seen has its most frequent tag.

    Of equally frequent tags the first in the alphabet is taken.
    """
    of_word: defaultdict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for example in train:
        overall.update(example.tags)
        for word, tag in zip(example.words, example.tags):
            of_word[word][tag] += 1
    most = _most_frequent(overall)
    known = {word: _most_frequent(counts) for word, counts in of_word.items()}
    ways: dict[str, Callable[[str], str]] = {
        "most frequent tag": lambda word: most,
        "most frequent tag of each word": lambda word: known.get(word, most),
    }
    return {name: _scores(held_out, way, has_spans=have_spans(overall)) for name, way in ways.items()}


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda tag: (-counts[tag], tag))


def _scores(examples: Sequence[Tagged], way: Callable[[str], str], *, has_spans: bool) -> dict[str, float]:
    said = [[way(word) for word in one.words] for one in examples]
    pairs = [(tag, true) for tags, one in zip(said, examples) for tag, true in zip(tags, one.tags)]
    found = {"accuracy": sum(tag == true for tag, true in pairs) / max(1, len(pairs))}
    if not has_spans:
        return found
    true_spans, said_spans = _all([one.tags for one in examples]), _all(said)
    total = len(true_spans) + len(said_spans)
    return {**found, "span_f1": 2 * len(true_spans & said_spans) / total if total else 0.0}


def _all(sentences: Sequence[Sequence[str]]) -> set[tuple[int, Span]]:
    return {(number, span) for number, tags in enumerate(sentences) for span in spans(tags)}
