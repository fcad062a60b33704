"""The best answer of all windows of a context, no answer where that is likelier, and what a split has in all."""

import numpy as np
import pytest
import torch

from lmlab.examples import Answer, Question, QuestionRows
from lmlab.metric.answer_scores import AnswerScores, Said, best_of

CONTEXTS = ["ann met bob", "kim slept"]
QUESTIONS = [
    Question("0", "who?", CONTEXTS[0], (Answer("bob", 8),)),
    Question("1", "when?", CONTEXTS[1], ()),
]
ROWS = QuestionRows(
    question_ids=np.array([1, 2, 1]),
    question_ends=np.array([1, 3]),
    context_ids=np.array([1, 2, 3, 4, 5]),
    places=np.array([[0, 3], [4, 7], [8, 11], [0, 3], [4, 9]]),
    context_ends=np.array([3, 5]),
    context_of=np.array([0, 1]),
    answers=np.array([[2, 2]]),
    answer_ends=np.array([1, 1]),
    is_answerable=np.array([True, False]),
)


def said(windows, threshold=0.0):
    """Of windows as (question, first, last, score, score of no answer)."""
    places, tokens, scores = (
        np.array([row[columns] for row in windows]) for columns in (slice(0, 1), slice(1, 3), slice(3, 5))
    )
    return best_of(places[:, 0], tokens, scores.astype(np.float32), threshold=threshold)


def test_the_best_span_of_all_windows_is_held_against_the_lowest_no_answer():
    found = said([(0, 0, 1, 2.0, 5.0), (0, 7, 8, 3.0, 2.5), (0, 4, 4, 1.0, 9.0)])
    assert found == {0: Said(7, 8, 0.5)}
    assert said([(0, 0, 1, 2.0, 5.0), (0, 7, 8, 3.0, 3.0)]) == {0: Said(-1, -1, 0.0)}


def test_a_threshold_makes_answers_rarer_and_none_gives_one_always():
    windows = [(0, 0, 1, 2.0, 1.0), (1, 3, 3, 1.0, 9.0)]
    assert [one.first for one in said(windows).values()] == [0, -1]
    assert [one.first for one in said(windows, threshold=1.5).values()] == [-1, -1]
    assert [one.first for one in said(windows, threshold=None).values()] == [0, 3]


def test_of_equal_spans_the_first_is_taken_in_any_order_and_a_window_without_a_place_has_none():
    windows = [(0, 5, 6, 2.0, 1.0), (0, 2, 3, 2.0, 1.0), (0, 2, 2, 2.0, 1.0)]
    assert said(windows) == said(windows[::-1]) == {0: Said(2, 2, 1.0)}
    least = float(np.finfo(np.float32).min)
    assert said([(0, 5, 6, least, least)], threshold=None)[0].first == -1


def test_the_figures_are_those_of_the_answers_as_they_stand_in_the_context():
    metric = AnswerScores(questions=lambda: QUESTIONS, rows=ROWS, threshold=0.0)
    one = torch.ones((), dtype=torch.long)
    metric.update(torch.tensor(3.0), one, torch.tensor([0]), torch.tensor([[1, 2]]), torch.tensor([[2.0, 1.0]]))
    metric.update(torch.tensor(1.0), one, torch.tensor([1]), torch.tensor([[0, 0]]), torch.tensor([[1.0, 2.0]]))
    nobody = torch.zeros(0, dtype=torch.long)
    metric.update(torch.tensor(0.0), one * 0, nobody, torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, 2))
    found = metric.compute()
    assert metric.last == {0: "met bob", 1: ""}
    assert found["loss"] == 2.0
    assert found["exact_match"] == 0.5
    assert found["f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["no_answer_exact_match"] == 1
