"""Neighbours by cosine, and sums of words as people write them."""

import pytest
import torch

from lmlab.analysis.neighbors import combined, nearest, signed_words, word_id
from lmlab.types import Mistake

VECTORS = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.1, 0.1], [0.0, 2.0], [-5.0, 0.0]])


def test_neighbours_are_by_angle_and_without_those_excluded():
    assert nearest(VECTORS, VECTORS[1], num=2, exclude=[0, 1]) == [(2, pytest.approx(0.5**0.5)), (3, 0.0)]
    assert [word for word, _ in nearest(VECTORS, VECTORS[1], num=9, exclude={1})] == [2, 0, 3, 4]  # equals by frequency
    assert nearest(VECTORS, VECTORS[1], num=3, exclude=range(5)) == []


def test_a_sum_takes_every_word_at_length_one():
    assert combined([(VECTORS[1], 1), (VECTORS[3], -1)]).tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("king - man + woman", (("king", 1), ("man", -1), ("woman", 1))),
        ("  king  -  man ", (("king", 1), ("man", -1))),
        ("- man + king", (("man", -1), ("king", 1))),
        ("+ king", (("king", 1),)),
        ("well-known - x-ray", (("well-known", 1), ("x-ray", -1))),
        ("国王 - 男人 + 女人", (("国王", 1), ("男人", -1), ("女人", 1))),
        ("c++ + -", None),
        ("-5 + 7", (("-5", 1), ("7", 1))),
        ("c++ - c", (("c++", 1), ("c", -1))),
        ("", None),
        ("king -", None),
        ("king - + man", None),
        ("- - man", None),
        ("king man + woman", None),
    ],
)
def test_only_signs_between_blanks_are_signs(text, expected):
    if expected is None:
        with pytest.raises(Mistake, match=r"analogy="):
            signed_words(text)
    else:
        assert signed_words(text) == expected


def test_an_unknown_word_names_those_spelled_alike():
    ids = {word: number for number, word in enumerate(["king", "kings", "queen", "苹果", "London"])}
    assert word_id("苹果", ids) == 3
    for word, sentence in (
        ("kinng", "there is king, kings"),
        ("KING", "word=KING is not among the 5 words of the vocabulary; there is king"),
        ("london", "there is London"),
        ("苹果树", "there is 苹果"),
    ):
        with pytest.raises(Mistake, match=sentence):
            word_id(word, ids)
    with pytest.raises(Mistake, match=r"of the vocabulary$"):
        word_id("zzzzzz", ids)
