"""Skip-gram: one row a word."""

import numpy as np
import torch

from lmlab.model.skipgram import Skipgram
from lmlab.types import Vocabulary, WordModel

WORDS = ("<eos>", "<unk>", "b", "a", "c")


def test_a_words_vector_is_its_row_and_an_unseen_word_has_none():
    model = Skipgram(dim=7, vocabulary=Vocabulary(WORDS, np.array([0, 0, 9, 4, 1])))
    assert isinstance(model, WordModel)
    assert model.averages_context is False
    assert torch.equal(model.vector_of("a"), model.vectors()[3])
    assert model.vector_of("unheard") is None
    assert model.embedding.weight.abs().max() <= 0.5 / 7
    for number in range(len(WORDS)):
        assert model.rows[model.first[number] : model.first[number + 1]].tolist() == [number]
