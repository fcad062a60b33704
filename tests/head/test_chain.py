"""Linear-chain CRF: against all ways to tag a sentence, one by one; gradients; places without a word."""

from itertools import pairwise, product

import pytest
import torch

from lmlab.head.chain import Chain
from lmlab.head.crf import Crf
from lmlab.head.per_token import PerToken
from lmlab.types import IGNORE

DRAW = torch.Generator().manual_seed(0)
TAGS = 3


def chain(batch, time, dtype=torch.float64):
    def random(*shape):
        return torch.randn(*shape, generator=DRAW, dtype=torch.float64).to(dtype)

    return Chain(random(batch, time, TAGS), random(TAGS, TAGS), random(TAGS), random(TAGS))


def by_hand(scores, row, tags):
    """The score of a way to tag the places of a row; None where there is no word."""
    words = [(place, tag) for place, tag in enumerate(tags) if tag is not None]
    if not words:
        return torch.tensor(0.0, dtype=torch.float64)
    total = scores.start[words[0][1]] + scores.end[words[-1][1]]
    total = total + sum(scores.emissions[row, place, tag] for place, tag in words)
    return total + sum(scores.transitions[one[1], other[1]] for one, other in pairwise(words))


def ways(is_word):
    return product(*[range(TAGS) if here else [None] for here in is_word.tolist()])


MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]).bool()


def test_the_partition_is_the_sum_over_all_ways():
    scores = chain(len(MASK), 4)
    found = scores.log_partition(MASK)
    for row, is_word in enumerate(MASK[:-1]):
        total = torch.stack([by_hand(scores, row, tags) for tags in ways(is_word)]).logsumexp(dim=0)
        torch.testing.assert_close(found[row], total)
    assert found[-1] == 0


def test_the_best_tags_are_those_of_the_highest_score():
    for _ in range(5):
        scores = chain(len(MASK), 4)
        found = scores.best(MASK)
        for row, is_word in enumerate(MASK):
            best = max(ways(is_word), key=lambda tags: by_hand(scores, row, tags))
            assert found[row].tolist() == [IGNORE if tag is None else tag for tag in best]


def test_the_score_is_that_of_the_targets():
    scores = chain(len(MASK), 4)
    targets = torch.randint(TAGS, MASK.shape, generator=DRAW).masked_fill(~MASK, IGNORE)
    for row, tags in enumerate(targets.tolist()):
        own = by_hand(scores, row, [None if tag == IGNORE else tag for tag in tags])
        torch.testing.assert_close(scores.score(targets)[row], own)


def test_the_probabilities_of_all_ways_sum_to_1():
    scores = chain(1, 3)
    losses = [scores.loss(torch.tensor([tags])) for tags in product(range(TAGS), repeat=3)]
    assert torch.stack(losses).neg().exp().sum().item() == pytest.approx(1)


def test_gradients_are_right():
    scores = chain(len(MASK), 4)
    targets = torch.randint(TAGS, MASK.shape, generator=DRAW).masked_fill(~MASK, IGNORE)
    parts = [part.requires_grad_() for part in scores]
    assert torch.autograd.gradcheck(lambda *parts: Chain(*parts).loss(targets), parts)


@pytest.mark.parametrize("head", [Crf, PerToken])
def test_neither_padding_nor_pieces_change_anything(head):
    torch.manual_seed(0)
    made = head(dim=5, num_tags=TAGS, dropout=0.0)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    states = torch.randn(2, 4, 5)
    targets = torch.tensor([[0, 2, 1, 1], [2, 0, IGNORE, IGNORE]])
    wide = torch.randn(2, 9, 5)
    wide_targets = torch.full((2, 9), IGNORE)
    wide[:, [1, 2, 5, 6]], wide_targets[:, [1, 2, 5, 6]] = states, targets
    near, far = made(states), made(wide)
    torch.testing.assert_close(near.loss(targets), far.loss(wide_targets))
    found, is_word = far.best(wide_targets != IGNORE), wide_targets != IGNORE
    assert found[is_word].tolist() == near.best(targets != IGNORE)[targets != IGNORE].tolist()
    assert (found[~is_word] == IGNORE).all()
    near.loss(targets).backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in made.parameters())


@pytest.mark.parametrize("head", [Crf, PerToken])
def test_a_batch_without_words_has_no_loss_and_no_gradient(head):
    made = head(dim=5, num_tags=TAGS, dropout=0.0)
    loss = made(torch.randn(2, 3, 5)).loss(torch.full((2, 3), IGNORE))
    loss.backward()
    assert loss.item() == 0
    assert all(one.grad is None or one.grad.abs().sum() == 0 for one in made.parameters())


def test_the_scores_are_float32_whatever_the_states_are():
    made = Crf(dim=5, num_tags=TAGS, dropout=0.0).bfloat16()
    assert {part.dtype for part in made(torch.randn(1, 3, 5).bfloat16())} == {torch.float32}


def test_long_sentences_have_finite_losses():
    scores = chain(2, 400, torch.float32)
    found = scores._replace(emissions=scores.emissions * 100)
    assert torch.isfinite(found.loss(torch.zeros(2, 400, dtype=torch.long)))
