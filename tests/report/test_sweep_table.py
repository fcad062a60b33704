"""A table averages seeds, counts what is missing, and marks the best only where it is sure."""

import itertools
import math
import random

import pytest

from lmlab.report.job import written
from lmlab.report.sweep_format import FORMATS
from lmlab.report.sweep_table import direction_of, sweep_table

CLEAR = {("lstm",): [1.00, 1.10, 1.20], ("rnn",): [2.01, 2.10, 2.19], ("gru",): [3.0, 3.12, 3.2]}


def _cells(table):
    return {(*row, *column): cell for (row, column), cell in table.cells.items()}


def test_a_cell_is_the_mean_over_seeds_by_hand(make_sweep):
    table = sweep_table(make_sweep(["model"], {("a",): [1.0, 2.0, 3.0]}), metric="val/loss", rows=["model"])
    cell = _cells(table)["a",]
    assert (cell.estimate.mean, cell.estimate.sd, cell.estimate.n) == (2.0, 1.0, 3)
    assert cell.by_seed == {1: 1.0, 2: 2.0, 3: 3.0}
    assert not cell.left_out


def test_the_best_is_marked_only_where_it_is_better_than_every_other(make_sweep):
    table = sweep_table(make_sweep(["model"], CLEAR), metric="val/loss", rows=["model"])
    assert {row: cell.is_best for (row,), cell in _cells(table).items()} == {"lstm": True, "rnn": False, "gru": False}
    unsure = CLEAR | {("rnn",): [1.0, 1.3, 1.1]}  # as good as the best, and the third is far off
    table = sweep_table(make_sweep(["model"], unsure), metric="val/loss", rows=["model"])
    assert not any(cell.is_best for cell in table.cells.values())


def test_a_maximised_figure_is_best_where_it_is_highest(make_sweep):
    table = sweep_table(make_sweep(["model"], CLEAR), metric="val/loss", rows=["model"], direction="maximize")
    assert _cells(table)["gru",].is_best
    assert direction_of("test/accuracy") == direction_of("val/macro_f1") == "maximize"
    assert direction_of("val/loss") == direction_of("test/perplexity") == "minimize"


def test_holms_correction_is_over_the_others_of_the_column(make_sweep):
    values = {("a",): [1.0, 1.1, 1.2], ("b",): [1.2, 1.35, 1.42]}
    two = sweep_table(make_sweep(["model"], values), metric="val/loss", rows=["model"])
    ((contrast,),) = two.contrasts.values()
    assert contrast.p == contrast.paired.p < 0.05
    more = values | {(name,): [1.2 + shift, 1.35 + shift, 1.42 + shift] for name, shift in (("c", 0.0), ("d", 0.0))}
    four = sweep_table(make_sweep(["model"], more), metric="val/loss", rows=["model"])
    assert [one.p for one in next(iter(four.contrasts.values()))] == pytest.approx([3 * contrast.p] * 3)


def test_the_best_of_few_seeds_or_of_one_row_is_never_marked(make_sweep):
    for losses in ({("a",): [1.0], ("b",): [9.0]}, {("a",): [1.0, 1.1]}, {("a",): [1.0, 1.1], ("b",): [9.0]}):
        table = sweep_table(make_sweep(["model"], losses), metric="val/loss", rows=["model"])
        assert not any(cell.is_best for cell in table.cells.values())


def test_nothing_is_marked_as_long_as_another_may_still_win(make_sweep, make_job):
    jobs = make_sweep(["model"], CLEAR)
    for state, is_best in (("queued", False), ("running", False), ("failed", True)):
        table = sweep_table(
            [*jobs, make_job(99, {"model": "new"}, 1, loss=None, state=state)], metric="val/loss", rows=["model"]
        )
        assert _cells(table)["lstm",].is_best is is_best
        assert _cells(table)["new",].left_out == {state: 1}


def test_a_configuration_that_diverged_once_is_never_marked(make_sweep):
    jobs = make_sweep(["model"], CLEAR | {("lstm",): [1.0, 1.1, 1.2, math.nan]})
    cell = _cells(sweep_table(jobs, metric="val/loss", rows=["model"]))["lstm",]
    assert cell.left_out == {"not finite": 1}
    assert cell.estimate.n == 3
    assert not cell.is_best


def test_every_job_is_in_the_figure_or_counted(make_sweep, make_job):
    states = ["done", "failed", "pruned", "running", "queued", "done", "done", "done"]
    losses = [1.0, None, 1.0, 1.0, None, math.inf, None, 3.0]
    jobs = [make_job(n, {"model": "a"}, n, loss, state) for n, (state, loss) in enumerate(zip(states, losses))]
    cell = _cells(sweep_table(jobs, metric="val/loss", rows=["model"]))["a",]
    expected = {"failed": 1, "pruned": 1, "running": 1, "queued": 1, "not finite": 1, "without val/loss": 1}
    assert cell.left_out == expected
    assert cell.by_seed == {0: 1.0, 7: 3.0}
    assert cell.estimate.n + sum(cell.left_out.values()) == len(jobs)


def test_other_keys_are_averaged_within_the_seed_and_the_table_says_so(make_sweep):
    losses = {("a", 1): [1.0, 2.0], ("a", 2): [3.0, 6.0], ("b", 1): [5.0, 5.0], ("b", 2): [7.0, 7.0]}
    table = sweep_table(make_sweep(["model", "lr"], losses), metric="val/loss", rows=["model"])
    assert _cells(table)["a",].by_seed == {1: 2.0, 2: 4.0}
    assert table.averaged == ["lr"]
    assert "averaged over lr" in FORMATS["text"](table)


def test_a_seed_that_lacks_a_setting_is_left_out_and_counted(make_sweep, make_job):
    jobs = make_sweep(["model", "lr"], {("a", 1): [1.0, 2.0], ("a", 2): [3.0, 6.0]})
    jobs[-1] = make_job(3, {"model": "a", "lr": 2}, 2, loss=None, state="failed")
    cell = _cells(sweep_table(jobs, metric="val/loss", rows=["model"]))["a",]
    assert cell.by_seed == {1: 2.0}
    assert cell.left_out == {"failed": 1, "of an incomplete seed": 1}


def test_a_value_that_is_not_finite_takes_its_seed_out_but_is_counted_alone(make_sweep):
    jobs = make_sweep(["model", "lr"], {("a", 1): [1.0, 2.0], ("a", 2): [3.0, math.nan]})
    cell = _cells(sweep_table(jobs, metric="val/loss", rows=["model"]))["a",]
    assert cell.by_seed == {1: 2.0}
    assert cell.left_out == {"not finite": 1, "of an incomplete seed": 1}


def test_rows_and_columns_may_be_several_keys_or_none(make_sweep):
    losses = {(a, b, c): [1.0] for a, b, c in itertools.product("ab", (1, 2), (0.1, 0.01))}
    jobs = make_sweep(["model", "dim", "lr"], losses)
    table = sweep_table(jobs, metric="val/loss", rows=["model", "lr"], columns=["dim"])
    assert table.rows == [("a", "0.1"), ("a", "0.01"), ("b", "0.1"), ("b", "0.01")]
    assert table.columns == [("1",), ("2",)]
    (cell,) = sweep_table(jobs, metric="val/loss", rows=[], columns=[]).cells.values()
    assert len(cell.jobs) == 8


def test_a_key_that_some_jobs_lack_has_a_row_of_its_own(make_job):
    jobs = [
        make_job(0, {"model": "rnn"}, 1),
        make_job(1, {"model": "t", "heads": 2}, 1),
        make_job(2, {"model": "t", "heads": None}, 1),
    ]
    table = sweep_table(jobs, metric="val/loss", rows=["model", "heads"])
    assert table.rows == [("rnn", ""), ("t", "2"), ("t", "null")]


@pytest.mark.parametrize("form", FORMATS)
def test_the_order_of_the_jobs_changes_no_table(make_sweep, make_job, form):
    rng = random.Random(0)
    losses = {(m, d): [rng.gauss(1, 0.1) for _ in range(4)] for m in ("a", "b", "c") for d in ("x", "y")}
    jobs = [*make_sweep(["model", "data"], losses), make_job(99, {"model": "a", "data": "z"}, 1, None, "failed")]
    expected = FORMATS[form](sweep_table(jobs, metric="val/loss", rows=["model"], columns=["data"]))
    for _ in range(5):
        rng.shuffle(jobs)
        assert FORMATS[form](sweep_table(jobs, metric="val/loss", rows=["model"], columns=["data"])) == expected


def test_a_sweep_without_jobs_or_without_figures_has_a_table(make_job):
    for jobs in ([], [make_job(0, {"model": "a"}, None, None, "queued")], [make_job(0, {}, None, 1.0)]):
        table = sweep_table(jobs, metric="val/loss", rows=["model"] if jobs and jobs[0].varied else [])
        assert all(form(table) for form in FORMATS.values())


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "null"), (True, "true"), (0.001, "0.001"), (1e-5, "1e-05"), (1 / 3, str(1 / 3)), ([1, None], "[1,null]")],
)
def test_values_are_shown_as_they_are_typed(value, expected):
    assert written(value) == expected


@pytest.mark.parametrize("num_models", [2, 3, 5])
def test_where_nothing_differs_a_best_is_marked_in_at_most_5_of_100_tables(make_sweep, num_models):
    rng, marked = random.Random(num_models), 0
    for _ in range(400):
        losses = {(str(model),): [rng.gauss(1.0, 0.1) for _ in range(4)] for model in range(num_models)}
        table = sweep_table(make_sweep(["model"], losses), metric="val/loss", rows=["model"])
        marked += any(cell.is_best for cell in table.cells.values())
    assert marked / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
