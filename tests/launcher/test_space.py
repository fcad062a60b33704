"""What a sweep varies, from the command line and from files."""

import pytest

from lmlab import config
from lmlab.launcher import space
from lmlab.launcher.space import Interval
from lmlab.types import Mistake


def read(*overrides, **blocks):
    base = config.compose([])
    base.sweep = {**config.plain(base.sweep), **blocks}
    return space.read(overrides, base)


def varied(found):
    return [dict(point.varied) for point in found.points()]


def test_each_grid_stands_for_itself():
    found = read(grid=[{"model.attention.num_heads": [1, 2]}, {"model": ["lstm"]}])
    assert varied(found) == [
        {"model.attention.num_heads": "1"},
        {"model.attention.num_heads": "2"},
        {"model": "lstm"},
    ]


def test_what_is_typed_multiplies_every_grid():
    found = read("optimizer.lr=0.1,0.2", grid=[{"model": ["lstm"]}, {"batch.size": [4]}])
    assert [point["optimizer.lr"] for point in varied(found)] == ["0.1", "0.2"] * 2


def test_zipped_values_vary_together():
    found = read("model=lstm,gru", zip={"optimizer.lr": [0.1, 0.2], "batch.size": [4, 8]})
    assert [(point["optimizer.lr"], point["batch.size"]) for point in varied(found)] == [("0.1", "4"), ("0.2", "8")] * 2


def test_an_interval_of_a_key_that_holds_a_whole_number_holds_whole_numbers():
    found = read("model.num_layers=interval(1,4)", "model.dropout=interval(0,1)", "optimizer.lr=interval(0.1,1)").drawn
    assert {key: values.is_int for key, values in found.items()} == {
        "model.num_layers": True, "model.dropout": False, "optimizer.lr": False,
    }  # fmt: skip


def test_of_what_is_typed_twice_the_last_counts():
    assert read("model.dim=16", "model.dim=8,24").constant == ()
    assert list(read("model.dim=8,24", "model.dim=16").command_lines()) == [["model.dim=16"]]


def test_seeds_are_replicates_and_no_dimension():
    found = read("seed=range(1,4)", "model=lstm,gru")
    assert found.seeds == ("1", "2", "3")
    assert varied(found) == [{"model": "lstm"}, {"model": "gru"}]
    assert len(list(found.command_lines())) == 6


def test_ranges_and_intervals_of_a_file_are_in_hydras_grammar():
    found = read(
        grid={"batch.size": "range(4,13,4)"},
        random={"optimizer.lr": "tag(log,interval(1e-4,1e-2))", "model.dim": "int(interval(8,64))"},
    )
    assert found.grids[0]["batch.size"] == ["4", "8", "12"]
    assert found.drawn == {
        "optimizer.lr": Interval(1e-4, 1e-2, is_log=True),
        "model.dim": Interval(8.0, 64.0, is_int=True),
    }


@pytest.mark.parametrize("value", ["it's", "a b", "a,b", 1.5, None, True, [1, 2], {"a": 1}, "scaled_dot"])
def test_a_value_of_a_file_is_the_same_value_on_the_command_line(value):
    (override,) = config.parse([f"name={space.written(value)}"])
    read_back = override.value()
    assert read_back == value or str(read_back) == str(value)


@pytest.mark.parametrize(
    ("overrides", "blocks", "said"),
    [
        (["optimizer.lr=interval(0.1,0.2)"], {}, "sweep.search=random"),
        (["optimizer.lr=interval(0.2,0.1)"], {}, "from a number to a larger one"),
        (["optimizer.lr=tag(log,interval(0,1))"], {}, "above 0 for log"),
        (["seed=interval(1,3)"], {}, "replicate"),
        (["seed=1,two"], {}, "seed=two is wrong"),
        (["model=lstm,gru"], {"grid": [{"model": ["rnn"]}]}, "stands twice"),
        (["model=lstm"], {"grid": [{"model": ["rnn"]}]}, "stands twice"),
        ([], {"zip": {"a": [1], "b": [1, 2]}}, "equally many values"),
        ([], {"grid": [{"seed": [1]}, {"seed": [2]}]}, "different seeds"),
        ([], {"grid": [{"optimizer.lr": "interval(0.1,0.2)"}]}, "sweep.random"),
    ],
)
def test_what_makes_no_space_is_refused(overrides, blocks, said):
    with pytest.raises(Mistake, match=said):
        list(read(*overrides, **blocks).points())
