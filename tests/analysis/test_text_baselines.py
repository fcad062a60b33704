"""Simple classifiers: by words or by Chinese characters, and none where there is nothing to go by."""

from lmlab.analysis import terms as module
from lmlab.analysis.text_baselines import text_baselines
from lmlab.examples import Labelled

REGRESSION = "TF-IDF, logistic regression"


def examples(*rows):
    return [Labelled((text,), (label,)) for text, label in rows]


def test_words_and_chinese_characters_are_told_apart_from_chance():
    english = examples(("good film", "yes"), ("bad film", "no"), ("good good", "yes"))
    chinese = examples(("好看", "yes"), ("难看", "no"), ("很好", "yes"))
    for train in (english, chinese):
        found = text_baselines(train, train)
        assert found[REGRESSION] == {"accuracy": 1.0}
        assert found["most frequent label"]["accuracy"] == 2 / 3


def test_texts_without_a_term_and_too_much_text_have_the_most_frequent_label_alone(monkeypatch):
    letters = examples(("a", "yes"), ("b", "no"))
    assert text_baselines(letters, letters) == {"most frequent label": {"accuracy": 0.5}}
    monkeypatch.setattr(module, "LARGEST", 3)
    long = examples(("good film", "yes"), ("bad film", "no"))
    assert REGRESSION not in text_baselines(long, long)
