"""fastText: n-grams as published, and the vectors that are made of them."""

import numpy as np
import pytest
import torch

from lmlab.model.character_ngrams import hashed_ngrams
from lmlab.model.fasttext import FastText
from lmlab.types import Mistake, Vocabulary

WORDS = ("<eos>", "<unk>", "where", "were", "苹果", "apple")
COUNTS = np.array([0, 0, 9, 7, 5, 5])


def model(**keys):
    torch.manual_seed(3)
    keys = {"dim": 5, "min_n": 3, "max_n": 4, "num_buckets": 1000, "cbow": False} | keys
    return FastText(vocabulary=Vocabulary(WORDS, COUNTS), **keys)


def fnv(ngram):
    """FNV-1a of 32 bits, a byte above 127 extended by its sign."""
    value = 2166136261
    for byte in ngram.encode():
        value = (value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 % 2**32
    return value


@pytest.mark.parametrize(
    ("word", "min_n", "max_n", "ngrams"),
    [
        ("where", 3, 3, ["<wh", "whe", "her", "ere", "re>"]),  # the paper's own example, 3.2
        ("苹果", 1, 3, ["<苹", "<苹果", "苹", "苹果", "苹果>", "果", "果>"]),
        ("é𝒳", 3, 6, ["<é𝒳", "<é𝒳>", "é𝒳>"]),
        ("a", 4, 5, []),
        ("", 2, 3, ["<>"]),
        ("aaa", 2, 2, ["<a", "aa", "aa", "a>"]),
    ],
)
def test_ngrams_are_of_characters_and_hashed_by_their_bytes(word, min_n, max_n, ngrams):
    first, found = hashed_ngrams(["x", word], min_n=min_n, max_n=max_n, num_buckets=2_000_003)
    assert found[first[1] :].tolist() == [fnv(ngram) % 2_000_003 for ngram in ngrams]


def test_ngrams_are_gensims():
    fasttext = pytest.importorskip("gensim.models.fasttext", reason="gensim is the reference")
    words = ["hello", "苹果树", "naïve", "aaaaaaa", "日本語のテキスト", "𝒳y", "don't"]
    first, found = hashed_ngrams(words, min_n=2, max_n=5, num_buckets=12345)
    for number, word in enumerate(words):
        own = found[first[number] : first[number + 1]].tolist()
        assert own == fasttext.ft_ngram_hashes(word, 2, 5, 12345)


def test_a_vector_is_the_mean_of_the_words_own_row_and_its_ngrams():
    fasttext = model()
    table = fasttext.embedding.weight
    buckets = [fnv(ngram) % 1000 for ngram in ["<we", "<wer", "wer", "were", "ere", "ere>", "re>"]]
    rows = [3, *(len(WORDS) + fasttext.buckets.tolist().index(bucket) for bucket in buckets)]
    torch.testing.assert_close(fasttext.vectors()[3], table[rows].mean(dim=0))
    torch.testing.assert_close(fasttext.vectors()[1], table[1])  # <unk> is no word


def test_a_word_never_seen_is_the_mean_of_the_ngrams_that_others_have():
    fasttext = model(num_buckets=2**31)
    known = [fnv(ngram) % 2**31 for ngram in ["<wh", "her", "here", "ere", "ere>", "re>"]]
    rows = [len(WORDS) + fasttext.buckets.tolist().index(bucket) for bucket in known]
    torch.testing.assert_close(fasttext.unseen("whahere"), fasttext.embedding.weight[rows].mean(dim=0))
    assert fasttext.unseen("xyz") is None
    assert fasttext.unseen("") is None


def test_buckets_that_no_word_falls_into_take_no_memory():
    fasttext = model(num_buckets=2_000_000)
    ngrams = {bucket for word in WORDS[2:] for bucket in hashed_ngrams([word], **fasttext.sizes)[1].tolist()}
    assert fasttext.embedding.num_embeddings == len(WORDS) + len(ngrams) == 31


def test_words_that_share_a_bucket_share_its_row():
    fasttext = model(num_buckets=1)
    assert fasttext.embedding.num_embeddings == len(WORDS) + 1
    assert fasttext.rows[fasttext.first[4] :].tolist()[:3] == [4, 6, 6]


@pytest.mark.parametrize(("cbow", "flags"), [(False, (False, True)), (True, (True, False))])
def test_either_the_word_predicts_or_the_mean_of_its_context(cbow, flags):
    fasttext = model(cbow=cbow)
    assert (fasttext.averages_context, fasttext.predicts_context) == flags


@pytest.mark.parametrize("keys", [{"min_n": 0}, {"min_n": 5}, {"num_buckets": 0}, {"num_buckets": 2**32}])
def test_impossible_sizes_are_refused_with_their_keys(keys):
    with pytest.raises(Mistake, match=f"model.{next(iter(keys))}"):
        model(**keys)
