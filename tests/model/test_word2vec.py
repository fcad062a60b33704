"""Skip-gram and CBOW: one row a word."""

import numpy as np
import pytest

from lmlab.model.word2vec import Word2vec
from lmlab.types import Vocabulary, WordModel

WORDS = ("<eos>", "<unk>", "b", "a", "c")


@pytest.mark.parametrize("cbow", [False, True])
def test_a_words_vector_is_its_row_and_an_unseen_word_has_none(cbow):
    model = Word2vec(dim=7, cbow=cbow, vocabulary=Vocabulary(WORDS, np.array([0, 0, 9, 4, 1])))
    assert isinstance(model, WordModel)
    assert (model.averages_context, model.predicts_context) == (cbow, False)
    assert model.vectors() is model.embedding.weight
    assert model.unseen("unheard") is None
    assert model.embedding.weight.abs().max() <= 0.5 / 7
    for number in range(len(WORDS)):
        assert model.rows[model.first[number] : model.first[number + 1]].tolist() == [number]
