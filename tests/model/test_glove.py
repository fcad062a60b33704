import numpy as np
import torch

from lmlab.model.glove import Glove
from lmlab.types import TwoSided, Vocabulary, WordModel

WORDS = Vocabulary(("<eos>", "<unk>", "the", "苹果"), np.array([0, 0, 7, 5]))


def test_a_words_vector_is_the_sum_of_its_two():
    torch.manual_seed(0)
    model = Glove(dim=6, vocabulary=WORDS)
    assert isinstance(model, WordModel)
    assert isinstance(model, TwoSided)
    torch.testing.assert_close(model.vectors(), model.embedding.weight + model.context.weight)
    assert model.unseen("pear") is None


def test_each_word_is_its_own_row():
    model = Glove(dim=6, vocabulary=WORDS)
    assert model.first.tolist() == [0, 1, 2, 3, 4]
    assert (model.rows.tolist(), model.rows.dtype) == ([0, 1, 2, 3], torch.int32)


def test_it_begins_small():
    for parameter in Glove(dim=6, vocabulary=Vocabulary(tuple(map(str, range(500))), np.arange(500))).parameters():
        assert 0.06 < parameter.abs().max() <= 0.5 / 7
