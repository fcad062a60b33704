"""Types in the words of a command line, and what fits them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from lmlab import values
from lmlab.types import Mistake

FITTING = [
    (3, int),
    (3, float),
    (3.0, float),
    (None, int | None),
    ("a", str),
    (True, bool),
    ([1, 2], tuple[int, int]),
    ([0.5, 1], list[float] | Any),
    (["a"], Sequence[str]),
    ("auto", int | Literal["auto"]),
    ({"a": 0.5}, Mapping[str, float]),
]
WRONG = [
    (True, int),
    (True, float),
    (1, bool),
    (3.5, int),
    (3, str),
    (None, int),
    ("a", int),
    ([1], tuple[int, int]),
    ("soon", int | Literal["auto"]),
    ("abc", list[str]),
    ("relu", Callable[[int], int]),
]


@pytest.mark.parametrize(("value", "hint"), FITTING)
def test_a_value_fits_its_type(value, hint):
    assert values.fits(value, hint)


@pytest.mark.parametrize(("value", "hint"), WRONG)
def test_a_value_of_another_type_does_not(value, hint):
    assert not values.fits(value, hint)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "a whole number"),
        (float | None, "a number or null"),
        (int | float, "a number"),
        (bool, "true or false"),
        (list[str], "a list such as [a,b], each text"),
        (tuple[float, float], "a list of 2, each a number"),
        (int | Literal["auto"], "a whole number or auto"),
        (Mapping[str, float], "a mapping such as {a: ...}, each a number"),
    ],
)
def test_a_type_is_said_in_the_words_of_a_command_line(hint, words):
    assert values.spoken(hint) == words


def test_a_value_is_shown_as_one_types_it():
    assert [values.shown(value) for value in (None, True, "a", 0.5)] == ["null", "true", "a", "0.5"]


def test_all_faults_are_reported_and_none_twice():
    config = OmegaConf.create({"seed": -1, "direction": "up", "batch": {"size": 0}, "tags": "a"})
    with pytest.raises(Mistake) as raised:
        values.check(config)
    assert len(str(raised.value).split("\n")) == 4


def test_a_value_that_is_missing_is_asked_for():
    with pytest.raises(Mistake, match=r"model\.dim must be given: model\.dim=\.\.\."):
        values.check(OmegaConf.create({"model": {"dim": "???"}}))


def test_a_reference_is_checked_where_the_value_stands():
    config = OmegaConf.create({"model": {"dropout": 2.0, "attention": {"dropout": "${..dropout}"}}})
    with pytest.raises(Mistake) as raised:
        values.check(config)
    assert str(raised.value).split("\n") == [
        "model.dropout=2.0 is wrong: expected a number from 0 up to, but not including, 1"
    ]


def test_a_whole_number_becomes_a_float_where_a_small_command_takes_one():
    config = OmegaConf.create({"temperature": 1, "num": 2})
    values.check_types(config, {"temperature": float, "num": int})
    assert (type(config.temperature), type(config.num)) == (float, int)
