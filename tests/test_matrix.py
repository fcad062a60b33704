"""A sample of scripts/matrix.py, which tries every combination."""

import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import matrix
import task_matrix

SAMPLE = [
    matrix.Cell(("model=transformer", "model/attention=additive", "model/position=t5"), "decoder"),
    matrix.Cell(("model=transformer", "model/attention=linear", "model/position=rotary"), "decoder"),
    matrix.Cell(("model=transformer", "model/attention=latent", "model/position=alibi"), "encoder"),
    matrix.Cell(("model=mamba2",), "decoder"),
    matrix.Cell(("model=recurrent", "model/cross_attention=dot"), "conditional"),
    matrix.Cell(("model=bag",), "encoder"),
    matrix.Cell(("model=luong2015",), "pair"),
]
REFUSED = [
    (
        matrix.Cell(("model=transformer", "model/attention=linear", "model/position=alibi"), "decoder"),
        "model/attention",
    ),
    (matrix.Cell(("model=cnn",), "decoder"), "model=dilated_cnn"),
]


@pytest.fixture(autouse=True)
def _without_the_shape_hook(request):
    if request.config.getoption("--jaxtyping-packages"):
        pytest.skip("torch.compile and the shape hook do not go together: make test runs this file without it")


@pytest.mark.parametrize("cell", SAMPLE, ids=lambda cell: cell.name)
def test_an_allowed_cell_keeps_the_laws_and_learns(cell):
    verdict = matrix.tried(cell)
    assert not verdict.refused
    assert verdict.failed == ()


@pytest.mark.parametrize(("cell", "remedy"), REFUSED, ids=lambda one: getattr(one, "name", ""))
def test_a_refused_cell_says_why_in_one_sentence(cell, remedy):
    verdict = matrix.tried(cell)
    assert remedy in verdict.refused
    assert "\n" not in verdict.refused


def test_a_model_that_breaks_a_law_fails(monkeypatch):
    monkeypatch.setitem(matrix.LAWS, "causality", lambda cell, model: False)
    monkeypatch.setattr(matrix, "ENOUGH", 0.0)
    failed = matrix.tried(matrix.Cell(("model=rnn",), "decoder")).failed
    assert failed[0] == "causality"
    assert failed[1].startswith("copy task")


def test_every_option_of_the_groups_is_in_it():
    names = " ".join(cell.name for cell in matrix.combinations())
    assert all(f"model/attention={option}" in names for option in matrix.options("attention"))
    assert all(f"model/position={option}" in names for option in matrix.options("position"))
    assert all(f"model={option} " in names for option in matrix.options(""))


@pytest.mark.parametrize(
    "cell",
    [
        task_matrix.TaskCell("tagging", "gru", "crf"),
        task_matrix.TaskCell("translation", "luong2015", "pointer"),
        task_matrix.TaskCell("word_embedding", "glove", "least_squares"),
    ],
    ids=lambda cell: cell.name,
)
def test_an_allowed_cell_of_a_task_beats_a_guess(cell):
    assert task_matrix.tried(cell) == ("", [])


def test_a_cell_that_learns_nothing_fails(monkeypatch):
    monkeypatch.setattr(task_matrix, "RATES", (1e-9,))
    refused, (failed,) = task_matrix.tried(task_matrix.TaskCell("tagging", "rnn", "per_token"))
    assert not refused
    assert "a guess has" in failed


def test_a_task_refuses_a_head_of_another_with_those_that_fit():
    refused, failed = task_matrix.tried(task_matrix.TaskCell("translation", "lstm", "ctc"))
    assert "head=ctc" in refused
    assert failed == []


def test_a_guess_knows_the_shares_of_targets_by_place():
    seen = [(0, 1), (0, 1), (1, 2)]
    assert task_matrix.nats(seen, [(0, 1)]) == pytest.approx(-math.log(3 / 5))
