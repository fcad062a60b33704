"""The compiled loop against the formula written out, autograd, and itself."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lmlab.head import logistic_groups
from lmlab.head.logistic import plain_sgd, targets_of, update
from lmlab.head.noise import alias_table, draw, mixed
from lmlab.types import Mistake, WordWindows

VOCAB, DIM, ROWS = 11, 7, 17
KINDS = {"skipgram": (False, False), "cbow": (True, False), "fasttext": (False, True)}


@dataclass
class Model:
    """Any table with any rows for each word."""

    dim: int
    embedding: torch.nn.Embedding
    first: torch.Tensor
    rows: torch.Tensor
    averages_context: bool
    predicts_context: bool

    def vectors(self):
        raise NotImplementedError

    def unseen(self, word):
        raise NotImplementedError


def model_of(kind, *, has_ngrams=False):
    generator = torch.Generator().manual_seed(1)
    sizes = [1, 3, 2, 1, 4, 2, 1, 1, 3, 2, 1] if has_ngrams else [1] * VOCAB
    rows = torch.randint(ROWS, (sum(sizes),), generator=generator) if has_ngrams else torch.arange(VOCAB)
    embedding = torch.nn.Embedding(ROWS, DIM)
    embedding.weight.data = torch.randn(ROWS, DIM, generator=generator)
    averages, predicts = KINDS[kind]
    return Model(
        dim=DIM,
        embedding=embedding,
        first=torch.tensor([0, *np.cumsum(sizes)]),
        rows=rows.int(),
        averages_context=averages,
        predicts_context=predicts,
    )


def output():
    return torch.randn(VOCAB, DIM, generator=torch.Generator().manual_seed(2))


def paths(*, num_noise=0):
    """Each word's own way of three rows and signs, no row twice in one, as in a tree."""
    random = np.random.default_rng(3)
    rows = np.concatenate([random.permutation(VOCAB)[:3] for _ in range(VOCAB)])
    signs = random.choice([-1.0, 1.0], 3 * VOCAB)
    noise = alias_table(np.arange(1.0, VOCAB + 1)) if num_noise else None
    return targets_of(np.arange(VOCAB + 1) * 3, rows, signs, noise=noise, num_noise=num_noise)


def batch(num=23):
    random = np.random.default_rng(4)
    place = np.arange(num)
    left, right = np.minimum(random.integers(0, 4, num), place), np.minimum(random.integers(0, 4, num), num - 1 - place)
    words = random.integers(0, VOCAB, num).astype(np.int32)
    left[5] = right[5] = 0  # a word without context
    return WordWindows(
        torch.from_numpy(words),
        torch.from_numpy(left.astype(np.uint8)),
        torch.from_numpy(right.astype(np.uint8)),
        num_tokens=num,
    )


def by_the_formula(model, batch, table, targets, rate, seed):
    """One position after the other, one hidden vector and one target at a time."""
    embedding = model.embedding.weight.data.double()
    output = table.double()
    loss, terms = 0.0, 0
    words, rows_of = batch.words.tolist(), lambda word: model.rows[model.first[word] : model.first[word + 1]].tolist()
    for i, (left, right) in enumerate(zip(batch.left.tolist(), batch.right.tolist())):
        around = [place for place in range(i - left, i + right + 1) if place != i]
        if not around:
            continue
        centre, context = [rows_of(words[i])], [rows_of(words[place]) for place in around]
        sources = (
            centre
            if model.predicts_context
            else [[row for rows in context for row in rows]]
            if model.averages_context
            else context
        )
        asked = []
        for place in around if model.predicts_context else [i]:
            asked += by_the_counter(targets, words[place], seed, i, place - i + left if model.predicts_context else 0)
        terms += len(around) if model.predicts_context else len(sources)
        old_embedding, old_output = embedding.clone(), output.clone()
        for source in sources:
            hidden = old_embedding[source].mean(0)
            for row, sign in asked:
                score = sign * hidden @ old_output[row]
                loss -= float(torch.nn.functional.logsigmoid(score))
                weight = rate * sign * torch.sigmoid(-score)
                output[row] += weight * hidden
                for one in source:
                    embedding[one] += weight * old_output[row]
    return loss, terms, embedding.float(), output.float()


def by_the_counter(targets, word, seed, position, number):
    """What is asked of a word: its path, and noise by (seed, position, number)."""
    path = range(targets.first[word], targets.first[word + 1])
    asked = [(int(targets.rows[k]), float(targets.signs[k])) for k in path]
    random = mixed(np.uint64(seed), np.uint64(position * 510 + number))
    for k in range(targets.num_noise):
        noise = int(draw(targets.share, targets.alias, np.uint64(mixed(np.uint64(random), np.uint64(k)))))
        asked += [(noise, -1.0)] if noise != word else []
    return asked


@pytest.mark.parametrize("num_noise", [0, 2])
@pytest.mark.parametrize("has_ngrams", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_is_the_formula_and_so_are_groups_of_one(kind, has_ngrams, num_noise):
    targets, model, table = paths(num_noise=num_noise), model_of(kind, has_ngrams=has_ngrams), output()
    in_groups, table_of_groups = copy.deepcopy(model), output()
    loss, terms, embedding, expected = by_the_formula(model, batch(), table, targets, 0.1, 5)
    found = update(model, batch(), table, targets, 0.1, seed=5, threads=1)
    assert found == (pytest.approx(loss, rel=1e-5), terms)
    assert torch.allclose(model.embedding.weight.data, embedding, atol=1e-5)
    assert torch.allclose(table, expected, atol=1e-5)

    found = logistic_groups.update(in_groups, batch(), table_of_groups, targets, 0.1, seed=5, group=1)
    assert found == (pytest.approx(loss, rel=1e-5), terms)
    assert torch.allclose(in_groups.embedding.weight.data, embedding, atol=1e-5)
    assert torch.allclose(table_of_groups, expected, atol=1e-5)


def test_what_changes_in_one_window_is_the_gradient_of_autograd():
    one = WordWindows(*(torch.tensor(x) for x in ([3, 5, 7], [0, 1, 0], [0, 1, 0])), num_tokens=3)
    one = WordWindows(one.words.int(), one.left.to(torch.uint8), one.right.to(torch.uint8), num_tokens=3)
    model, table, targets = model_of("skipgram"), output().requires_grad_(), paths()
    before = model.embedding.weight
    rows, signs = targets.rows[15:18], torch.from_numpy(targets.signs[15:18])
    scores = before[[3, 7]] @ table[rows].T * signs
    loss = -torch.nn.functional.logsigmoid(scores).sum()
    gradients = torch.autograd.grad(loss, [before, table])
    expected = [before - 0.3 * gradients[0], table - 0.3 * gradients[1]]
    found, terms = update(model, one, table, targets, 0.3, seed=0, threads=1)
    assert (found, terms) == (pytest.approx(loss.item(), rel=1e-5), 2)
    for there, is_expected in zip([model.embedding.weight, table], expected):
        assert torch.allclose(there, is_expected, atol=1e-6)


def test_a_score_far_from_zero_is_as_sure_as_float_allows():
    model, table, targets = model_of("skipgram"), output() * 30, paths()
    loss, _, embedding, _ = by_the_formula(model, batch(), table, targets, 0.01, 5)
    assert update(model, batch(), table, targets, 0.01, seed=5, threads=1)[0] == pytest.approx(loss, rel=1e-4)
    assert torch.allclose(model.embedding.weight.data, embedding, atol=1e-3)


def test_one_thread_gives_the_same_bits_and_a_rate_of_zero_changes_none():
    results = []
    for _ in range(2):
        model, table = model_of("skipgram"), output()
        losses = [update(model, batch(), table, paths(num_noise=3), 0.1, seed=step, threads=1) for step in range(3)]
        results.append((losses, model.embedding.weight.data, table))
    (losses, embedding, table), again = results
    assert losses == again[0]
    assert torch.equal(embedding, again[1])
    assert torch.equal(table, again[2])
    before = embedding.clone(), table.clone()
    update(model, batch(), table, paths(num_noise=3), 0.0, seed=9, threads=1)
    assert torch.equal(embedding, before[0])
    assert torch.equal(table, before[1])


@pytest.mark.parametrize("kind", KINDS)
def test_two_threads_learn_as_one_does(kind):
    losses = {}
    for threads in (1, 2):
        model, table = model_of(kind), output()
        for _ in range(30):
            loss, terms = update(model, batch(200), table, paths(), 0.05, seed=1, threads=threads)
        losses[threads] = loss / terms
    first = update(model_of(kind), batch(200), output(), paths(), 0.0, seed=1, threads=1)
    assert losses[2] == pytest.approx(losses[1], rel=0.1)
    assert losses[2] < 0.8 * first[0] / first[1]


def test_noise_is_drawn_in_proportion_to_its_weights():
    weights = np.array([0.0, 5, 1, 0, 3, 1])
    share, alias = alias_table(weights)
    drawn = [draw(share, alias, np.uint64(mixed(np.uint64(1), np.uint64(k)))) for k in range(20_000)]
    assert np.allclose(np.bincount(drawn, minlength=6) / 20_000, weights / 10, atol=0.015)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda weights: torch.optim.AdamW(weights), "set optimizer=sgd"),
        (lambda weights: torch.optim.SGD(weights, lr=1.0, momentum=0.5), "optimizer.momentum=0.5"),
        (lambda weights: torch.optim.SGD(weights, lr=1.0, weight_decay=0.1), "optimizer.weight_decay=0.1"),
    ],
)
def test_other_rules_than_plain_sgd_are_refused(make, said):
    with pytest.raises(Mistake, match=said):
        plain_sgd("negative_sampling", make([torch.nn.Parameter(torch.zeros(2))]))
    plain_sgd("negative_sampling", torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1))
