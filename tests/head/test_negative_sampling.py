"""Negative sampling on a text with something to learn."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lmlab.batch.word_windows import WordWindows
from lmlab.head.negative_sampling import NegativeSampling
from lmlab.model.word2vec import Word2vec
from lmlab.types import Corpus, Mistake, Vocabulary, WordHead, WordModel

WORDS = ("<eos>", "<unk>", *"abcdef")


def text():
    """Sentences of a, b, c or of d, e, f."""
    random = np.random.default_rng(1)
    sentences = [[*random.integers(2, 5, 7) + 3 * random.integers(0, 2), 0] for _ in range(300)]
    return np.concatenate(sentences).astype(np.uint16)


def parts(cbow=False, **changes):
    tokens = text()
    counts = np.bincount(tokens, minlength=len(WORDS))
    counts[:2] = 0
    vocabulary = Vocabulary(WORDS, counts)
    torch.manual_seed(1)
    made = Word2vec(dim=9, cbow=cbow, vocabulary=vocabulary)
    head = NegativeSampling(dim=9, vocabulary=vocabulary, **{"num_negatives": 3, "power": 0.75, **changes})
    batching = WordWindows(
        size=400, window=2, sample=0.0, eval_size=400, num_workers=0, seed=1, corpus=Corpus(0, 1, counts, Path())
    )
    return made, head, batching.train(tokens)


def trained(model, head, steps, numbers):
    sgd = torch.optim.SGD([*model.parameters(), *head.parameters()], lr=0.1)
    return [head.update(model, steps[step, 0], sgd, 0.1, seed=step, threads=1) for step in numbers]


@pytest.mark.parametrize("cbow", [False, True])
def test_words_of_a_kind_come_together(cbow):
    model, head, steps = parts(cbow)
    assert isinstance(model, WordModel)
    assert isinstance(head, WordHead)
    losses = trained(model, head, steps, range(60))
    assert losses[-1][0] / losses[-1][1] < losses[0][0] / losses[0][1]
    vectors = torch.nn.functional.normalize(model.vectors()[2:])
    likeness = vectors @ vectors.T
    assert likeness[:3, :3].min() > likeness[:3, 3:].max()


def test_a_run_cut_in_two_has_the_same_bits():
    model, head, steps = parts()
    trained(model, head, steps, range(8))
    first, first_head, _ = parts()
    trained(first, first_head, steps, range(5))
    second, second_head, _ = parts()
    second.load_state_dict(first.state_dict())
    second_head.load_state_dict(first_head.state_dict())
    trained(second, second_head, steps, range(5, 8))
    assert torch.equal(model.embedding.weight, second.embedding.weight)
    assert torch.equal(head.output, second_head.output)


def test_outputs_begin_as_zero_so_that_each_answer_costs_log_2():
    model, head, steps = parts()
    sgd = torch.optim.SGD(head.parameters(), lr=0.1)
    loss, terms = head.update(model, steps[0, 0], sgd, 0.0, seed=1, threads=1)
    assert 1 < loss / terms / np.log(2) < 4, "noise that is the word itself is dropped"


def test_no_noise_is_refused():
    with pytest.raises(Mistake, match=r"head.num_negatives=0"):
        parts(num_negatives=0)
