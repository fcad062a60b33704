"""Recall and rank against counting by hand, and chance against drawing."""

import numpy as np
import pytest

from lmlab.ranking import chance, figures, ranks


def brute(scores, belongs):
    """Places by walking down an ordered list; of equals those that do not belong come first."""
    found = []
    for row, own in zip(scores.tolist(), belongs.tolist()):
        order = sorted(range(len(row)), key=lambda place: (-row[place], own[place]))
        found.append(next(rank for rank, place in enumerate(order, start=1) if own[place]))
    return found


@pytest.mark.parametrize("levels", [4, 1000])
def test_ranks_are_those_of_an_ordered_list(levels):
    draw = np.random.default_rng(0)
    scores = draw.integers(levels, size=(40, 23)).astype(float)
    belongs = draw.random((40, 23)) < 0.15
    belongs[np.arange(40), draw.integers(23, size=40)] = True
    # what ranks above the best right one in brute() can only be wrong: right ones above it would be the best
    assert ranks(scores, belongs).tolist() == brute(scores, belongs)


def test_equal_scores_everywhere_are_no_success():
    belongs = np.eye(7, dtype=bool)
    found = figures(np.zeros((7, 7)), belongs)
    assert found["image_to_text_recall@1"] == found["text_to_image_recall@5"] == 0
    assert found["image_to_text_rank"] == 7


def test_figures_of_both_directions_by_hand():
    scores = np.array([[3.0, 1.0, 2.0], [9.0, 5.0, 4.0]])
    belongs = np.array([[True, False, False], [False, True, True]])
    found = figures(scores, belongs)
    assert found["image_to_text_recall@1"] == 0.5
    assert found["text_to_image_recall@1"] == pytest.approx(2 / 3)
    assert found["image_to_text_rank"] == 1.5
    assert found["recall"] == pytest.approx(np.mean([0.5, 1, 1, 2 / 3, 1, 1]))


def test_chance_is_what_random_scores_have():
    draw = np.random.default_rng(1)
    belongs = draw.random((12, 30)) < 0.2
    belongs[:, 0] = belongs[0] = True
    drawn = [figures(draw.random(belongs.shape), belongs) for _ in range(2000)]
    for name, value in chance(belongs).items():
        assert np.mean([one[name] for one in drawn]) == pytest.approx(value, abs=0.02), name
