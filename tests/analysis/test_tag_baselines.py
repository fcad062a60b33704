"""What a tagger has to beat: frequencies of tags, of words with tags."""

import pytest

from lmlab.analysis.tag_baselines import tag_baselines
from lmlab.examples import Tagged


def tagged(text):
    words, tags = zip(*(pair.split("/") for pair in text.split()))
    return Tagged(words, tags)


TRAIN = [tagged("a/X b/Y a/X"), tagged("b/Z c/X b/Z")]


def test_words_have_their_most_frequent_tag_and_unknown_ones_that_of_all():
    found = tag_baselines(TRAIN, [tagged("a/X b/Z b/Y new/X other/Z")])
    assert found["most frequent tag"] == {"accuracy": pytest.approx(2 / 5)}
    assert found["most frequent tag of each word"] == {"accuracy": pytest.approx(3 / 5)}


def test_of_tags_of_spans_f1_is_told_as_well():
    train = [tagged("Ann/B-PER ran/O"), tagged("we/O ran/O")]
    found = tag_baselines(train, [tagged("Ann/B-PER Lee/I-PER"), tagged("Ann/B-PER ran/O")])
    assert found["most frequent tag of each word"] == {
        "accuracy": pytest.approx(3 / 4),
        "span_f1": pytest.approx(1 / 2),
    }
    assert found["most frequent tag"]["span_f1"] == 0
