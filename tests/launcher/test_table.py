"""The job table."""

import sqlite3

import pytest

from lmlab.launcher.table import Row, Table
from lmlab.types import Mistake


def row(identity, **values):
    return Row(identity=identity, varied={"model": "lstm"}, seed=1, overrides=["model=lstm"], **values)


@pytest.fixture
def table(tmp_path):
    made = Table(tmp_path)
    made.make()
    return made


def test_jobs_keep_their_numbers_when_the_same_and_more_are_added(table):
    first = table.add([row("a"), row("b")])
    again = table.add([row("b"), row("c"), row("a")])
    assert [one.number for one in first] == [1, 2]
    assert [one.number for one in again] == [2, 3, 1]


def test_adding_a_job_again_leaves_its_state(table):
    table.add([row("a")])
    table.change(1, state="done", value=1.5, run="lmlab/x")
    (found,) = table.add([row("a")])
    assert (found.state, found.value, found.run) == ("done", 1.5, "lmlab/x")
    assert table.rows("queued") == []


def test_a_row_comes_back_as_it_was(table):
    (added,) = table.add(
        [Row(identity="x", varied={"a": [1, None], "b": "é"}, seed=None, overrides=["a='1,2'"], trial=3)]
    )
    assert (added.varied, added.seed, added.overrides, added.trial) == (
        {"a": [1, None], "b": "é"},
        None,
        ["a='1,2'"],
        3,
    )


def test_a_folder_without_a_table_holds_no_sweep(tmp_path):
    with pytest.raises(Mistake, match="holds no sweep"):
        Table(tmp_path).rows()


def test_a_damaged_table_is_named_with_the_remedy(tmp_path):
    (tmp_path / "sweep.sqlite").write_bytes(b"no database" * 200)
    with pytest.raises(Mistake, match="delete it"):
        Table(tmp_path).rows()


def test_a_reader_does_not_wait_for_an_open_writer(table):
    table.add([row("a")])
    with sqlite3.connect(table.path) as base:
        base.execute("select * from job").fetchall()
        assert len(table.rows()) == 1
