"""Every schedule of conf/schedule, and what is special to each."""

import math
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from lmlab.schedule.constant import Constant
from lmlab.schedule.cosine import Cosine
from lmlab.schedule.inverse_sqrt import InverseSqrt
from lmlab.schedule.linear import Linear
from lmlab.schedule.plateau import Plateau
from lmlab.schedule.step import Step
from lmlab.types import Horizon, Mistake

HORIZON = Horizon(total_steps=101, steps_per_epoch=7)
OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "schedule").glob("*.yaml"))


def factory(path):
    keys = yaml.safe_load(path.read_text())
    module, name = keys.pop("_target_").rsplit(".", 1)
    assert keys.pop("_partial_") is True
    return partial(getattr(import_module(module), name), **keys)


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_factor_of_every_schedule_lies_between_zero_and_one(path):
    schedule = factory(path)(horizon=HORIZON)
    assert all(0 <= schedule(step) <= 1 for step in range(2 * HORIZON.total_steps))


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_every_schedule_is_a_function_of_the_step_alone(path):
    schedule = factory(path)(horizon=HORIZON)
    forward = [schedule(step) for step in range(103)]
    assert [schedule(step) for step in reversed(range(103))] == forward[::-1]


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_every_schedule_warms_up_in_a_straight_line(path):
    schedule = factory(path)(horizon=HORIZON, warmup_steps=5)
    assert [schedule(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_every_schedule_refuses_a_warmup_longer_than_the_run(path):
    with pytest.raises(Mistake, match=r"schedule\.warmup_steps=102 is longer than the run of 101 steps"):
        factory(path)(horizon=HORIZON, warmup_steps=102)


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_every_schedule_takes_a_run_of_one_step(path):
    assert factory(path)(horizon=Horizon(total_steps=1, steps_per_epoch=1))(0) == pytest.approx(1.0)


def test_warmup_below_one_is_a_fraction_of_the_run():
    assert Constant(horizon=HORIZON, warmup_steps=0.1).warmup_steps == 10


@pytest.mark.parametrize("wrong", [-1, 2.5])
def test_warmup_that_is_no_number_of_steps_is_refused(wrong):
    with pytest.raises(Mistake, match="whole number"):
        Constant(horizon=HORIZON, warmup_steps=wrong)


def test_cosine_is_half_way_in_the_middle_and_least_at_the_last_step():
    schedule = Cosine(horizon=HORIZON, warmup_steps=0, min_ratio=0.2)
    assert [schedule(0), schedule(50), schedule(100), schedule(500)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_linear_falls_by_the_same_amount_each_step():
    schedule = Linear(horizon=HORIZON, warmup_steps=0, min_ratio=0.0)
    assert [schedule(step) for step in (0, 25, 50, 100)] == pytest.approx([1.0, 0.75, 0.5, 0.0])


def test_inverse_sqrt_equals_equation_3_of_vaswani_2017():
    dim, length = 512, 40
    schedule = InverseSqrt(horizon=HORIZON, warmup_steps=length)
    base = dim**-0.5 * length**-0.5
    for step in range(101):
        n = step + 1
        assert base * schedule(step) == pytest.approx(dim**-0.5 * min(n**-0.5, n * length**-1.5))


def test_step_halves_each_epoch_after_the_fourth_as_zaremba_2014():
    schedule = Step(horizon=HORIZON, warmup_steps=0, gamma=0.5, after=4, every=1)
    assert [schedule(7 * epoch) for epoch in range(7)] == [1, 1, 1, 1, 0.5, 0.25, 0.125]
    assert schedule(7 * 5 - 1) == 0.5  # the last step of epoch 5


def test_step_every_two_epochs_falls_half_as_often():
    schedule = Step(horizon=HORIZON, warmup_steps=0, gamma=0.1, after=1, every=2)
    assert [schedule(7 * epoch) for epoch in range(6)] == pytest.approx([1, 0.1, 0.1, 0.01, 0.01, 0.001])


def plateau():
    return Plateau(horizon=HORIZON, warmup_steps=0, factor=0.5, patience=1, min_ratio=0.2)


def test_plateau_falls_after_more_than_patience_bad_values_and_not_below_its_least():
    schedule, factors = plateau(), []
    for value in (3.0, 2.0, 2.5, 2.0, 1.9, 1.9, math.nan, 9.0, 9.0, 9.0, 9.0):
        schedule.observe(value)
        factors.append(schedule(0))
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]


def test_plateau_goes_on_from_its_state_as_if_never_stopped():
    whole, first, second = plateau(), plateau(), plateau()
    values = [3.0, 2.0, 2.5, 2.0, 2.6, 2.7, 2.8]
    for value in values:
        whole.observe(value)
    for value in values[:3]:
        first.observe(value)
    second.load_state_dict(first.state_dict())
    for value in values[3:]:
        second.observe(value)
    assert second.state_dict() == whole.state_dict()
