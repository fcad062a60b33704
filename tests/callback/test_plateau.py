"""The plateau schedule hears every validation of training once, and remembers across a resume."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl

from lmlab.callback.plateau import Observe
from lmlab.schedule.plateau import Plateau
from lmlab.types import Horizon


def schedule() -> Plateau:
    return Plateau(horizon=Horizon(100, 10), warmup_steps=0, factor=0.5, patience=0, min_ratio=0.0)


def measured(value: float, fn: str = "fit") -> Any:
    return Mock(spec=pl.Trainer, callback_metrics={"figure": value}, state=SimpleNamespace(fn=fn))


@pytest.mark.parametrize(("direction", "figures"), [("minimize", [3, 2, 4, 1]), ("maximize", [1, 2, 0, 3])])
def test_the_rate_falls_when_the_figure_is_no_better(direction, figures):
    callback = Observe(schedule(), monitor="figure", direction=direction)
    rates = []
    for figure in figures:
        callback.on_validation_end(measured(figure), None)
        rates.append(callback.schedule(5))
    assert rates == [1.0, 1.0, 0.5, 0.5]


def test_evaluation_after_training_is_not_heard():
    callback = Observe(schedule(), monitor="figure", direction="minimize")
    for fn in ("fit", "validate", "test"):
        callback.on_validation_end(measured(2.0, fn), None)
    assert callback.schedule(5) == 1.0


def test_a_resumed_run_has_the_rate_of_an_undisturbed_one():
    one = Observe(schedule(), monitor="figure", direction="minimize")
    for figure in (3.0, 4.0):
        one.on_validation_end(measured(figure), None)
    other = Observe(schedule(), monitor="figure", direction="minimize")
    other.load_state_dict(one.state_dict())
    for callback in (one, other):
        callback.on_validation_end(measured(3.5), None)
    assert other.schedule(5) == one.schedule(5) == 0.25
    assert other.state_dict() == one.state_dict()
