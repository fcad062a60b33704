"""Spearman's correlation equals gensim's, and is left out where there is none."""

import numpy as np
import pytest
import torch

from lmlab.metric.word_similarity import WordSimilarity
from lmlab.types import Failed, WordPair

WORDS = ("<eos>", "<unk>", "a", "b", "c", "d")


def measured(vectors, pairs, words=WORDS):
    metric = WordSimilarity(words=words, pairs=pairs, name="mine")
    metric.update(torch.tensor(vectors))
    return metric.compute()


def angles(*degrees):
    """Vectors at these angles to the first axis; NaN for `<eos>` and `<unk>`, which nobody may read."""
    turned = np.deg2rad(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def test_ties_have_the_mean_of_their_ranks():
    vectors = np.concatenate([np.full((2, 2), np.nan, dtype=np.float32), angles(0, 10, 30, 60)])
    pairs = [WordPair("a", "b", 5), WordPair("a", "c", 5), WordPair("a", "d", 1), WordPair("a", "x", 9)]
    # Ranks 2.5, 2.5, 1 of the scores and 3, 2, 1 of the cosines.
    expected = 1.5 / np.sqrt(1.5 * 2)
    assert measured(vectors, [WordPair(*pair[:2], float(pair[2])) for pair in pairs]) == {
        "": pytest.approx(expected),
        "coverage": 0.75,
    }


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_gensim_in_any_case_with_unknown_words(tmp_path, seed):
    gensim = pytest.importorskip("gensim.models", reason="gensim is the reference")
    generator = np.random.default_rng(seed)
    words = [f"{letter}{number}" for letter in "xyé" for number in range(40)]
    words += [word.upper() for word in words[:30]]  # case variants, the rarer ones
    words = list(generator.permutation(words))
    vectors = generator.normal(size=(len(words), 7)).astype(np.float32)
    chosen = generator.choice([*words, "unknown", "other"], size=(200, 2))
    chosen = [
        (one, other) for one, other in chosen if one.upper() != other.upper()
    ]  # gensim's cosine of these is 1 +- 1e-7
    pairs = [WordPair(str(one), str(other), float(generator.integers(5))) for one, other in chosen]
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs), encoding="utf-8")
    keyed = gensim.KeyedVectors(vector_size=7)
    keyed.add_vectors(words, vectors)
    _, spearman, missing = keyed.evaluate_word_pairs(str(tmp_path / "pairs.tsv"))
    nothing = np.zeros((2, 7), dtype=np.float32)
    found = measured(np.concatenate([nothing, vectors]), pairs, ("<eos>", "<unk>", *map(str, words)))
    assert found[""] == pytest.approx(spearman[0], abs=1e-6)
    assert found["coverage"] == pytest.approx(1 - missing / 100)


@pytest.mark.parametrize(
    ("pairs", "coverage"),
    [
        ([], 0.0),
        ([WordPair("x", "y", 1.0), WordPair("<unk>", "a", 2.0)], 0.0),
        ([WordPair("a", "b", 1.0), WordPair("a", "y", 2.0)], 0.5),
        ([WordPair("a", "b", 1.0), WordPair("a", "c", 1.0)], 1.0),
        ([WordPair("a", "a", 1.0), WordPair("b", "b", 2.0)], 1.0),
    ],
)
def test_a_correlation_that_is_not_defined_is_left_out_and_said(pairs, coverage, caplog):
    assert measured(np.concatenate([angles(0, 0), angles(0, 10, 30, 60)]), pairs) == {"coverage": coverage}
    assert "similarity on mine is left out" in caplog.text


def test_the_last_vectors_count():
    pairs = [WordPair("a", "b", 2.0), WordPair("a", "c", 1.0)]
    metric = WordSimilarity(words=WORDS, pairs=pairs)
    for last, expected in ((30, 1.0), (5, -1.0)):
        metric.update(torch.tensor(angles(0, 0, 0, 10, last, 60)))
        assert metric.compute()[""] == pytest.approx(expected)


def test_vectors_of_nan_are_said():
    vectors = angles(0, 0, 0, 10, 20, 30)
    vectors[3] = np.nan
    with pytest.raises(Failed, match="1 of 4 word vectors hold NaN or infinite numbers, the first that of 'b'"):
        measured(vectors, [WordPair("a", "c", 1.0)])
