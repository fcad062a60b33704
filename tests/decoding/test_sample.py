import math

import pytest
import torch

from lmlab.decoding.sample import (
    chooser,
    forbid_repeated,
    greedy,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    sample,
    scale,
)
from lmlab.types import Mistake

PREVIOUS = torch.tensor([[3, 3], [0, 6]])
LOGITS = torch.tensor([[0.5, -1.0, 2.0, 4.0, -2.0, 0.0, 1.0], [-4.0, 0.1, 0.2, 0.3, 0.4, 0.5, 3.0]])


def kept(logits):
    return [set(row.isfinite().nonzero().flatten().tolist()) for row in logits]


def test_greedy_takes_the_likeliest():
    assert greedy()(LOGITS, PREVIOUS, torch.rand(2)).tolist() == [3, 6]


def test_top_k_of_one_equals_greedy_whatever_the_random_number():
    for _ in range(20):
        logits, uniform = torch.randn(5, 11), torch.rand(5)
        choice = sample(keep_top_k(1))(logits, PREVIOUS, uniform)
        assert torch.equal(choice, greedy()(logits, PREVIOUS, uniform))


def test_top_k_keeps_exactly_k_even_among_equals():
    assert [len(row) for row in kept(keep_top_k(3)(torch.zeros(2, 7), PREVIOUS))] == [3, 3]


def test_top_k_larger_than_the_vocabulary_keeps_all():
    assert torch.equal(keep_top_k(99)(LOGITS, PREVIOUS), LOGITS)


def test_top_p_keeps_the_smallest_set_that_reaches_p():
    probability = torch.tensor([[0.5, 0.05, 0.3, 0.15]])
    logits = probability.log()
    previous = torch.zeros(1, 1, dtype=torch.long)
    sets = {p: kept(keep_top_p(p)(logits, previous))[0] for p in (0.01, 0.45, 0.55, 0.79, 0.9, 1.0)}
    assert sets == {0.01: {0}, 0.45: {0}, 0.55: {0, 2}, 0.79: {0, 2}, 0.9: {0, 2, 3}, 1.0: {0, 1, 2, 3}}


def test_min_p_keeps_what_has_a_share_of_the_likeliest():
    logits = torch.tensor([[0.5, 0.05, 0.3, 0.15], [0.97, 0.01, 0.01, 0.01]]).log()
    previous = torch.zeros(2, 1, dtype=torch.long)
    sets = {p: kept(keep_min_p(p)(logits, previous)) for p in (0.05, 0.2, 0.59, 0.61, 1.0)}
    assert [rows[0] for rows in sets.values()] == [{0, 1, 2, 3}, {0, 2, 3}, {0, 2}, {0}, {0}]
    assert all(rows[1] == {0} for rows in sets.values())


def forbidden(size, text, **options):
    logits = torch.zeros(1, 7)
    return set(range(7)) - kept(forbid_repeated(size, **options)(logits, torch.tensor([text])))[0]


def test_no_n_gram_is_written_twice():
    assert forbidden(2, [1, 2, 3, 1, 4, 1]) == {2, 4}
    assert forbidden(3, [1, 2, 3, 1, 2]) == {3}
    assert forbidden(3, [1, 2, 3, 3, 2]) == set()
    assert forbidden(1, [5, 5, 0]) == {0, 5}
    assert forbidden(4, [1, 2]) == set()


def test_padding_is_in_no_n_gram_and_a_text_may_always_end_and_go_on():
    assert forbidden(2, [-1, -1, 1]) == set()
    assert forbidden(3, [-1, -1, 1]) == set()
    assert forbidden(1, [-1, 6]) == {6}
    assert forbidden(2, [1, 2, 1], eos=2) == set()
    assert forbidden(2, [1, 2, 1, 3, 1], begin=2) == {3}
    assert forbidden(1, [0, 1, 2, 3, 4, 5, 6]) == set()


def test_sampled_frequencies_are_the_probabilities():
    torch.manual_seed(0)
    logits = torch.randn(1, 5).expand(20_000, 5)
    choice = sample(scale(0.7))(logits, torch.zeros(20_000, 1, dtype=torch.long), torch.rand(20_000))
    frequency = torch.bincount(choice, minlength=5) / 20_000
    torch.testing.assert_close(frequency, (logits[0] / 0.7).softmax(-1), atol=0.015, rtol=0)


def test_a_token_without_probability_is_never_drawn():
    logits = torch.tensor([[-math.inf, 0.3, -math.inf, 0.1, -math.inf]]).expand(3, 5)
    choice = sample()(logits, torch.zeros(3, 1, dtype=torch.long), torch.tensor([0.0, 0.99, 1 - 2.0**-24]))
    assert choice.tolist() == [1, 3, 3]


def test_repetition_penalty_makes_what_occurred_less_likely_and_leaves_the_rest():
    penalized = penalize_repetition(2.0)(LOGITS, PREVIOUS)
    expected = LOGITS.clone()
    expected[0, 3], expected[1, 0], expected[1, 6] = 2.0, -8.0, 1.5
    torch.testing.assert_close(penalized, expected)


def test_padding_is_not_penalized():
    padded = torch.tensor([[-1, -1, 3], [-1, 0, 6]])
    torch.testing.assert_close(penalize_repetition(2.0)(LOGITS, padded), penalize_repetition(2.0)(LOGITS, PREVIOUS))


def test_filters_do_not_change_their_input():
    before = LOGITS.clone()
    chooser(temperature=0.5, top_k=3, top_p=0.9, repetition_penalty=1.2)(LOGITS, PREVIOUS, torch.rand(2))
    assert torch.equal(LOGITS, before)


def test_temperature_zero_is_greedy():
    assert chooser(temperature=0.0, top_k=5)(LOGITS, PREVIOUS, torch.tensor([0.9, 0.99])).tolist() == [3, 6]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: chooser(temperature=-1.0), "temperature=-1.0"),
        (lambda: keep_top_k(0), "top_k=0"),
        (lambda: keep_top_p(1.5), "top_p=1.5"),
        (lambda: keep_min_p(0.0), "min_p=0.0"),
        (lambda: keep_min_p(1.5), "min_p=1.5"),
        (lambda: forbid_repeated(0), "no_repeat_ngram=0"),
        (lambda: penalize_repetition(0.0), "repetition_penalty=0.0"),
    ],
)
def test_senseless_values_are_refused_with_their_key(make, words):
    with pytest.raises(Mistake, match=words):
        make()
