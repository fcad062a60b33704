"""What a model that replies is held against."""

import numpy as np
import pytest

from lmlab.analysis.reply_baselines import reply_baselines, unigram
from lmlab.examples import SourceTarget


def test_replies_are_the_most_frequent_and_that_to_the_nearest_turn():
    said = [("is it raining", "no"), ("who are you", "a model"), ("is it late", "no"), ("", "hello")]
    train = [SourceTarget(source, (target,)) for source, target in said]
    held_out = [SourceTarget("and who are they", ("people",)), SourceTarget("is it raining today", ("yes",))]
    assert reply_baselines(train, held_out) == {
        "most frequent reply": ["no", "no"],
        "reply to the nearest turn": ["a model", "no"],
    }


def test_unigram_perplexity_of_four_tokens_by_hand():
    """Counts 2, 1, 0 and 0 with one more each: shares of 3/7, 2/7, 1/7 and 1/7."""
    found = unigram(np.array([0, 0, 1]), np.array([0, 2]), 4)
    assert found["loss"] == pytest.approx(-(np.log(3 / 7) + np.log(1 / 7)) / 2)
    assert found["perplexity"] == pytest.approx(7 / 3**0.5)
