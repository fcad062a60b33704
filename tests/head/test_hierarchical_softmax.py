"""Hierarchical softmax is a distribution over the words, and learns by its gradient."""

import numpy as np
import pytest
import torch

from lmlab.head.hierarchical_softmax import HierarchicalSoftmax
from lmlab.model.word2vec import Word2vec
from lmlab.types import Mistake, Vocabulary, WordWindows

COUNTS = np.array([0, 0, 9, 5, 3, 1, 1])
WORDS = Vocabulary(("<eos>", "<unk>", *"abcde"), COUNTS)


def pair(context: int, word: int) -> WordWindows:
    """The context alone predicts the word."""
    near = [torch.tensor(counts, dtype=torch.uint8) for counts in ([0, 1], [0, 0])]
    return WordWindows(torch.tensor([context, word], dtype=torch.int32), *near, num_tokens=2)


@pytest.fixture
def parts():
    torch.manual_seed(0)
    model, head = Word2vec(vocabulary=WORDS, dim=5, cbow=False), HierarchicalSoftmax(dim=5, vocabulary=WORDS)
    with torch.no_grad():
        model.embedding.weight.normal_()
        head.output.normal_()
    return model, head, torch.optim.SGD([*model.parameters(), *head.parameters()], lr=0.1)


def test_the_probabilities_of_all_words_sum_to_one(parts):
    model, head, sgd = parts
    losses = [head.update(model, pair(3, word), sgd, 0.0, seed=1, threads=1)[0] for word in range(2, 7)]
    assert sum(np.exp(-np.array(losses))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("word", range(2, 7))
def test_an_update_is_the_gradient_of_minus_log_p(parts, word):
    model, head, sgd = parts
    hidden, nodes = (tensor.detach().clone().requires_grad_() for tensor in (model.embedding.weight[4], head.output))
    path = slice(*head.paths.first[[word, word + 1]])
    codes = torch.from_numpy(head.paths.codes[path].astype(np.float32))
    scores = nodes[torch.from_numpy(head.paths.nodes[path].astype(np.int64))] @ hidden
    loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, 1 - codes, reduction="sum")
    loss.backward()
    found, number = head.update(model, pair(4, word), sgd, 0.1, seed=1, threads=1)
    assert number == 1
    assert found == pytest.approx(loss.item(), abs=1e-5)
    torch.testing.assert_close(model.embedding.weight[4], hidden - 0.1 * hidden.grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(head.output, nodes - 0.1 * nodes.grad, atol=1e-5, rtol=0)


def test_one_word_is_no_choice():
    with pytest.raises(Mistake, match=r"tokenizer\.min_count leaves 1"):
        HierarchicalSoftmax(dim=5, vocabulary=Vocabulary(("<eos>", "<unk>", "a"), np.array([0, 0, 4])))
