"""The exact softmax: its loss is cross_entropy, its update the gradient of it, group by group."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lmlab.head.full_softmax import FullSoftmax
from lmlab.head.predictions import predictions
from lmlab.model.fasttext import FastText
from lmlab.types import Mistake, Vocabulary, WordWindows

VOCABULARY = Vocabulary(("<eos>", "<unk>", "where", "were", "there", "hare"), np.array([0, 0, 9, 7, 5, 5]))
WORDS, LEFT, RIGHT = [2, 4, 3, 2, 5, 3], [0, 1, 2, 0, 0, 0], [2, 1, 1, 0, 1, 0]
WINDOWS = WordWindows(
    torch.tensor(WORDS, dtype=torch.int32),
    torch.tensor(LEFT, dtype=torch.uint8),
    torch.tensor(RIGHT, dtype=torch.uint8),
    9,
)
WINDOWS_OF = {
    "contexts predict": (False, False),
    "the mean predicts": (True, False),
    "the word predicts": (False, True),
}


def made(kind, *, group_size=1000, seed=0):
    """A model with several rows for each word, and a head that has learned something."""
    torch.manual_seed(seed)
    model = FastText(vocabulary=VOCABULARY, dim=7, min_n=3, max_n=4, num_buckets=11, cbow=False)
    model.averages_context, model.predicts_context = WINDOWS_OF[kind]
    head = FullSoftmax(dim=7, vocabulary=VOCABULARY, group_size=group_size)
    with torch.no_grad():
        model.embedding.weight.normal_()
        head.output.normal_()
    return model, head


def learn(model, head, *, rate, windows=WINDOWS):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return head.update(model, windows, optimizer, rate, seed=0, threads=1)


def asked(model):
    """By a loop: the rows of each prediction and its word."""
    rows = [model.rows[model.first[word] : model.first[word + 1]].tolist() for word in WORDS]
    for place, word in enumerate(WORDS):
        near = [place + step for step in range(-LEFT[place], RIGHT[place] + 1) if step]
        if model.averages_context:
            yield from [(word, [row for other in near for row in rows[other]])] if near else []
        for other in near if not model.averages_context else []:
            yield (WORDS[other], rows[place]) if model.predicts_context else (word, rows[other])


@pytest.mark.parametrize("kind", WINDOWS_OF)
def test_predictions_are_those_of_a_loop_over_the_text(kind):
    model, _ = made(kind)
    words, first, rows = predictions(model, WINDOWS)
    found = [(int(word), rows[first[i] : first[i + 1]].tolist()) for i, word in enumerate(words)]
    assert found == list(asked(model))


@pytest.mark.parametrize("kind", WINDOWS_OF)
@pytest.mark.parametrize("group_size", [1000, 3])
def test_an_update_is_the_gradient_of_cross_entropy(kind, group_size):
    model, head = made(kind, group_size=group_size)
    table, output = model.embedding.weight.detach().clone(), head.output.detach().clone()
    expected, todo = 0.0, list(asked(model))
    for start in range(0, len(todo), group_size):
        group = todo[start : start + group_size]
        vectors, nodes = table.detach().clone().requires_grad_(), output.detach().clone().requires_grad_()
        sums = torch.stack([vectors[rows].sum(dim=0) for _, rows in group])
        sizes = torch.tensor([[len(rows)] for _, rows in group])
        means = sums - (sums - sums / sizes).detach()  # of that value, and each row with the gradient of the mean
        loss = F.cross_entropy(means @ nodes[2:].T, torch.tensor([word - 2 for word, _ in group]), reduction="sum")
        loss.backward()
        table, output, expected = table - 0.1 * vectors.grad, output - 0.1 * nodes.grad, expected + loss.item()
    loss, terms = learn(model, head, rate=0.1)
    assert (loss, terms) == (pytest.approx(expected, rel=1e-5), len(todo))
    torch.testing.assert_close(model.embedding.weight.detach(), table)
    torch.testing.assert_close(head.output, output)


def test_rate_0_measures_and_changes_nothing():
    model, head = made("contexts predict")
    before = [model.embedding.weight.detach().clone(), head.output.detach().clone()]
    assert learn(model, head, rate=0.0) == learn(model, head, rate=0.0)
    assert torch.equal(model.embedding.weight, before[0])
    assert torch.equal(head.output, before[1])


def test_a_new_head_finds_all_words_of_the_text_equally_likely():
    model, _ = made("contexts predict")
    loss, terms = learn(model, FullSoftmax(dim=7, vocabulary=VOCABULARY, group_size=5), rate=0.0)
    assert loss / terms == pytest.approx(np.log(4))


def test_two_runs_have_the_same_bits_and_learn():
    losses, tables = [], []
    for _ in range(2):
        model, head = made("the word predicts", group_size=4)
        losses.append([learn(model, head, rate=0.1)[0] for _ in range(20)])
        tables.append(model.embedding.weight.detach())
    assert losses[0] == losses[1]
    assert torch.equal(*tables)
    assert losses[0][-1] < losses[0][0] / 2


def test_a_text_without_windows_is_nothing():
    model, head = made("the mean predicts")
    none = WordWindows(WINDOWS.words, torch.zeros_like(WINDOWS.left), torch.zeros_like(WINDOWS.right), 9)
    assert learn(model, head, rate=0.1, windows=none) == (0.0, 0)


def test_groups_of_nothing_are_refused():
    with pytest.raises(Mistake, match=r"head\.group_size=0"):
        FullSoftmax(dim=7, vocabulary=VOCABULARY, group_size=0)
