"""Exact match and F1 of answers: by hand, against torchmetrics, in Chinese, with several right answers and with none."""

import pytest
from torchmetrics.functional.text import squad

from lmlab.metric.answers import best_over, f1, is_equal, scored


@pytest.mark.parametrize(
    ("answer", "right", "exact", "overlap"),
    [
        ("The Queen!", "queen", 1, 1),
        ("an  old,  house", "old house", 1, 1),
        ("in the old house", "old house", 0, 0.8),
        ("a a b", "a b b", 0, pytest.approx(2 / 3)),  # articles are left out
        ("x x y", "x y y", 0, 2 / 3),
        ("", "queen", 0, 0),
        ("", "", 1, 1),
        ("queen", "", 0, 0),
        ("café-bar", "cafébar", 1, 1),
        ("()", "()", 1, 1),
        ("()", "[]", 0, 0),
        ("", "()", 0, 0),  # an answer of marks is no missing answer
        ("'a'", "'a'", 1, 1),
        ("国王。", "国王", 1, 1),
        ("老国王", "国王", 0, 0.8),
        ("《国王》和 Anna", "国王和anna", 1, 1),
        ("1912年", "1912", 0, pytest.approx(2 / 3)),
        ("“国王”", "国王", 1, 1),
    ],
)
def test_marks_articles_and_case_do_not_count(answer, right, exact, overlap):
    assert is_equal(answer, right) == exact
    assert f1(answer, right) == pytest.approx(overlap)


def test_the_best_of_several_counts_and_nothing_is_right_where_there_is_none():
    assert best_over(f1, "old house", ["queen", "the old house", "house"]) == 1
    assert best_over(is_equal, "", []) == 1
    assert best_over(f1, "queen", []) == 0


ANSWERS = [
    ("the cat", ["a cat", "cats"]),
    ("in 1912, or later", ["1912", "in 1912"]),
    ("Île-de-France", ["Ile de France"]),
    ("x", ["y z", "w"]),
    ("What—else", ["what else", "What—else?"]),
    ("", ["something"]),
]


def test_answerable_questions_count_as_torchmetrics_has_them():
    said = [{"prediction_text": answer, "id": str(number)} for number, (answer, _) in enumerate(ANSWERS)]
    true = [
        {"answers": {"answer_start": [0] * len(right), "text": right}, "id": str(number)}
        for number, (_, right) in enumerate(ANSWERS)
    ]
    expected = squad(said, true)
    found = scored([answer for answer, _ in ANSWERS], [right for _, right in ANSWERS])
    assert found["exact_match"] * 100 == pytest.approx(float(expected["exact_match"]))
    assert found["f1"] * 100 == pytest.approx(float(expected["f1"]))
    assert set(found) == {"exact_match", "f1"}


def test_questions_with_and_without_an_answer_are_counted_apart_where_there_are_both():
    found = scored(["old house", "", "", "x"], [["house"], ["a b c"], [], []])
    assert found == {
        "exact_match": 0.25,
        "f1": pytest.approx((2 / 3 + 1) / 4),
        "answerable_exact_match": 0,
        "answerable_f1": pytest.approx(1 / 3),
        "no_answer_exact_match": 0.5,
    }
