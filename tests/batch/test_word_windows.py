"""Windows of running text: what is in them, by chance and for certain."""

from pathlib import Path

import numpy as np
import pytest

from lmlab.batch.word_windows import WordWindows, thresholds
from lmlab.types import Corpus, Mistake


def batching(tokens=range(6), **changes):
    keys = {"size": 50, "window": 3, "sample": 0.0, "eval_size": 40, "num_workers": 0, "seed": 1}
    counts = np.bincount(np.array(tokens, np.int64), minlength=6)
    counts[:2] = 0
    return WordWindows(**{**keys, **changes}, corpus=Corpus(0, 1, counts, Path()))


def text(num=131):
    return np.random.default_rng(2).choice([0, 1, 2, 3, 4, 5], num, p=[0.1, 0.1, 0.2, 0.2, 0.2, 0.2]).astype(np.uint16)


def test_an_epoch_is_the_text_once_without_rare_words_and_ends():
    tokens, made = text(), batching()
    steps = made.train(tokens)
    assert made.steps_per_epoch(tokens) == 3
    batches = [steps[step, 0] for step in range(3)]
    assert [one.num_tokens for one in batches] == [50, 50, 31]
    assert np.array_equal(np.concatenate([one.words.numpy() for one in batches]), tokens[tokens > 1])
    again = steps[4, 0]
    assert np.array_equal(again.words, batches[1].words)
    assert not np.array_equal(again.left, batches[1].left), "windows are drawn anew in each epoch"


def test_no_window_reaches_over_the_end_of_a_sentence():
    tokens = text()
    one = batching(size=131).train(tokens)[0, 0]
    sentence = np.cumsum(tokens == 0)[tokens > 1]
    for i, (left, right) in enumerate(zip(one.left.tolist(), one.right.tolist())):
        assert i - left >= 0
        assert i + right < len(sentence)
        assert sentence[i - left] == sentence[i] == sentence[i + right]
        assert max(left, right) <= 3


def test_each_reach_of_a_window_is_as_frequent():
    tokens = np.full(30_000, 2, np.uint16)
    one = batching(size=30_000).train(tokens)[0, 0]
    inside = one.left[3:-3].numpy()
    assert np.array_equal(inside, one.right[3:-3].numpy())
    assert np.allclose(np.bincount(inside)[1:] / len(inside), 1 / 3, atol=0.02)


def test_frequent_words_are_kept_as_often_as_word2vec_keeps_them():
    tokens = np.random.default_rng(3).choice([2, 3, 4], 60_000, p=[0.9, 0.099, 0.001]).astype(np.uint16)
    kept = batching(tokens, size=60_000, sample=0.01).train(tokens)[0, 0].words.numpy()
    counts, found = np.bincount(tokens), np.bincount(kept)
    for word in (2, 3, 4):
        share = counts[word] / len(tokens)
        expected = min(1, (np.sqrt(share / 0.01) + 1) * 0.01 / share)
        assert found[word] / counts[word] == pytest.approx(expected, abs=0.02)


def test_keep_rates_are_those_of_gensim():
    word2vec = pytest.importorskip("gensim.models", reason="gensim is a dependency of the tests alone").Word2Vec
    counts = np.array([0, 0, 5_000, 300, 20])
    peer = word2vec(min_count=1, sample=0.001, vector_size=2)
    peer.build_vocab_from_freq({"a": 5_000, "b": 300, "c": 20})
    theirs = [peer.wv.get_vecattr(word, "sample_int") for word in "abc"]
    assert np.allclose(thresholds(counts, 0.001)[2:], theirs, rtol=1e-6)


def test_evaluation_sees_every_word_in_the_same_windows():
    tokens = text()
    steps = batching(sample=1e-3).eval(tokens)
    assert len(steps) == 4
    words = np.concatenate([steps[number].words.numpy() for number in range(4)])
    assert np.array_equal(words, tokens[tokens > 1])
    other = batching(sample=1e-3, seed=7).eval(tokens)
    assert np.array_equal(steps[1].left, other[1].left)


def test_ranks_share_a_step():
    tokens = text()
    parts = [batching().train(tokens, rank=rank, world=2)[2, 0] for rank in range(2)]
    assert [part.num_tokens for part in parts] == [25, 6]


@pytest.mark.parametrize(
    ("changes", "tokens", "said"),
    [
        ({"window": 0}, [2], "batch.window=0"),
        ({"sample": -1.0}, [2], "batch.sample=-1.0"),
        ({}, [1, 0, 1], "tokenizer.min_count"),
        ({}, [], "data.path"),
    ],
)
def test_what_cannot_be_is_one_sentence(changes, tokens, said):
    with pytest.raises(Mistake, match=said):
        batching(tokens or [2], **changes).train(np.array(tokens, np.uint16))
