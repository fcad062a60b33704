"""Runs are filtered and sorted by any key of their config and any figure."""

import csv
import math

import pytest

from lmlab.report import table
from lmlab.types import Mistake


@pytest.fixture
def runs(make_run):
    def run(id, seed, loss, **changes):
        config = {"seed": seed, "model": {"dim": 8 * seed, "bias": seed == 1}, "optimizer": {"lr": seed / 1000}}
        return make_run(id=id, config=config, summary={} if loss is None else {"val/loss": loss}, **changes)

    return [
        run("a", 1, 2.5, name="base|line"),
        run("b", 2, 1.5, overrides=["model=lstm", "seed=2"]),
        run("c", 3, math.nan, status="failed"),
        run("d", 1, None, status="running"),
    ]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ([], "abcd"),
        (["seed=1"], "ad"),
        (["seed!=1"], "bc"),
        (["val/loss<1.9"], "b"),
        (["val/loss >= 1.5"], "ab"),
        (["model.dim>8", "val/loss<9"], "b"),
        (["status=failed"], "c"),
        (["model.bias=true"], "ad"),
        (["optimizer.lr=1e-3"], "ad"),
        (["val/loss=null"], "d"),
        (["nothing=1"], ""),
        (["name=base|line"], "a"),
    ],
)
def test_a_run_is_shown_if_it_fulfils_every_filter(runs, filters, ids):
    assert _ids(table.rows(runs, columns=["id"], filters=filters)) == ids


@pytest.mark.parametrize(
    ("sort", "ids"), [("val/loss", "bacd"), ("-val/loss", "cabd"), ("-seed", "cbad"), ("id", "abcd")]
)
def test_runs_are_sorted_and_those_without_the_figure_are_last(runs, sort, ids):
    assert _ids(table.rows(runs, columns=["id"], sort=sort)) == ids


@pytest.mark.parametrize("filter", ["seed", "=1", "seed~1", "val/loss<low"])
def test_a_filter_that_cannot_be_read_is_the_user_s_mistake(runs, filter):
    with pytest.raises(Mistake, match=f"{filter!r}"):
        table.rows(runs, filters=[filter])


def test_a_table_is_text_markdown_and_csv(runs):
    shown = table.rows(runs, columns=["id", "name", "val/loss", "model.dim", "overrides"])
    assert table.markdown(shown).splitlines()[2:4] == [
        "| a | base\\|line | 2.500 | 8 |  |",
        "| b |  | 1.500 | 16 | model=lstm seed=2 |",
    ]
    assert [row["val/loss"] for row in csv.DictReader(table.to_csv(shown).splitlines())] == ["2.5", "1.5", "nan", ""]
    lines = table.text(shown, width=100).splitlines()
    assert lines[0].split() == ["id", "name", "val/loss", "model.dim", "overrides"]
    assert lines[2].split() == ["b", "1.500", "16", "model=lstm", "seed=2"]


def test_figures_are_never_cut_off_on_a_narrow_terminal(runs):
    lines = table.text(table.rows(runs), width=10).splitlines()
    assert lines[0].split() == ["id", "name", "status", "val/loss", "overrides"]  # no run has another
    assert lines[1].split() == ["a", "base|line", "finished", "2.500"]


def test_texts_are_folded_to_the_width_of_the_terminal(make_run):
    run = make_run(name="word " * 20, overrides=["model=lstm", "seed=2"] * 9, summary={"val/loss": 1.0})
    lines = table.text(table.rows([run]), width=80).splitlines()
    assert len(lines) > 3
    assert all(len(line) <= 80 for line in lines)


def test_every_key_can_be_a_column(runs):
    assert {"id", "seed", "model.dim", "val/loss"} <= set(table.every_key(runs))


def _ids(shown):
    return "".join(row["id"] for row in shown.rows)
