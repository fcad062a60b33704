"""The baselines against hand-computed values and the laws of a probability."""

import itertools
import math

import numpy as np
import pytest

from lmlab.metric.baseline import baselines
from lmlab.metric.trigram import Trigram


@pytest.mark.parametrize("vocab_size", [1, 2, 5])
def test_trigram_sums_to_one_over_the_vocabulary_after_every_context(vocab_size: int) -> None:
    ids = np.random.default_rng(0).integers(0, vocab_size, 37)
    trigram = Trigram(ids=ids, vocab_size=vocab_size, eos=0)
    for context in itertools.product(range(vocab_size), repeat=2):
        log_prob = trigram.log_prob(np.array([context] * vocab_size), np.arange(vocab_size))
        assert np.exp(log_prob).sum() == pytest.approx(1, abs=1e-12)


def test_trigram_gives_the_probability_worked_out_by_hand() -> None:
    # <eos> <eos> 1 2 1 2 2 with <eos>=0 and 4 words.
    trigram = Trigram(ids=np.array([1, 2, 1, 2, 2], dtype=np.uint16), vocab_size=4, eos=0)
    # Trigrams 001 012 121 212 122, each once: D is a half. Bigrams by different first words: 01:1 12:2 21:1 22:1,
    # so D = 3 / (3 + 2) = 0.6. Words by different first words: 1 after 0 and 2, 2 after 1 and 2: D is a half again.
    below = {word: (max(count - 0.5, 0) + 0.5 * 2 / 4) / 4 for word, count in {0: 0, 1: 2, 2: 2, 3: 0}.items()}
    bigram = (max(1 - 0.6, 0) + 0.6 * 2 * below[1]) / 2  # after 2, which has the successors 1 and 2
    expected = (1 - 0.5 + 0.5 * 2 * bigram) / 2  # after 1 2: once 1, once 2
    assert np.exp(trigram.log_prob(np.array([[1, 2]]), np.array([1])))[0] == pytest.approx(expected)


def test_trigram_falls_back_to_shorter_contexts() -> None:
    trigram = Trigram(ids=np.array([1, 2, 1, 2, 2]), vocab_size=4, eos=0)
    unseen_pair = trigram.log_prob(np.array([[3, 2]]), np.array([1]))
    other_unseen_pair = trigram.log_prob(np.array([[0, 2]]), np.array([1]))
    assert unseen_pair == other_unseen_pair
    assert np.isfinite(trigram.log_prob(np.array([[3, 3]]), np.array([3]))).all()


def test_loss_is_the_mean_over_all_tokens_with_the_end_of_a_document_before_the_first() -> None:
    trigram = Trigram(ids=np.array([1, 2, 1, 2, 2]), vocab_size=4, eos=0)
    log_prob = trigram.log_prob(np.array([[0, 0], [0, 1], [1, 2]]), np.array([1, 2, 3]))
    assert trigram.loss(np.array([1, 2, 3]), 0) == pytest.approx(-log_prob.mean())


def test_baselines_agree_with_formulas_and_order_themselves_on_text() -> None:
    text = b"the cat sat on the mat. " * 40
    train, held_out = np.frombuffer(text, np.uint8), np.frombuffer(text[5:98], np.uint8)
    found = baselines(
        train=train.astype(np.uint16),
        held_out=held_out.astype(np.uint16),
        vocab_size=257,
        eos=256,
        train_text=text,
        held_out_text=text[5:98],
    )
    assert found["uniform"].loss == pytest.approx(math.log(257))
    assert found["uniform"].bits_per_byte == pytest.approx(math.log2(257))
    counts = np.bincount(train, minlength=257)
    assert found["unigram"].loss == pytest.approx(-np.log((counts[held_out] + 1) / (len(train) + 257)).mean())
    bits = {name: baseline.bits_per_byte for name, baseline in found.items()}
    assert max(bits["xz"], bits["trigram"]) < bits["unigram"] < bits["uniform"]
    assert found["xz"].loss is None
