"""When to stop: counted in validations, of the figure just measured."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl

from lmlab.callback.early_stopping import EarlyStopping


def trainer(**figures: float) -> Any:
    return Mock(spec=pl.Trainer, callback_metrics=figures, should_stop=False, state=SimpleNamespace(fn="fit"))


def stops_at(callback: EarlyStopping, figures: list[float]) -> int | None:
    """The validation, counted from 1, after which it stops."""
    for number, figure in enumerate(figures, start=1):
        one = trainer(loss=figure)
        callback.on_validation_end(one, None)
        if one.should_stop:
            return number
    return None


def make(patience: int | None = 2, min_delta: float = 0.0, direction: str = "minimize") -> EarlyStopping:
    return EarlyStopping(patience=patience, min_delta=min_delta, monitor="loss", direction=direction)


@pytest.mark.parametrize(
    ("options", "figures", "expected"),
    [
        ({}, [3, 2, 2, 2, 2], 4),
        ({}, [3, 2, 2.5, 1.9, 2, 2], 6),
        ({"patience": 1}, [3, 3], 2),
        ({"min_delta": 0.5}, [3, 2.8, 2.6, 2.4], 3),
        ({"direction": "maximize"}, [1, 2, 1, 2], 4),
        ({"patience": None}, [1, 2, 3, 4, 5], None),
        ({}, [float("nan")] * 3, 2),
    ],
)
def test_it_stops_after_patience_validations_without_improvement(options, figures, expected):
    assert stops_at(make(**options), figures) == expected


def test_a_resumed_run_stops_where_an_undisturbed_one_would():
    figures = [3.0, 2.0, 2.5, 2.2]
    for cut in range(4):
        first, second = make(), make()
        assert stops_at(first, figures[:cut]) is None
        second.load_state_dict(first.state_dict())
        assert stops_at(second, figures[cut:]) == 4 - cut


def test_a_stop_that_was_decided_before_the_kill_is_carried_out():
    first, second = make(patience=1), make(patience=1)
    assert stops_at(first, [1, 2]) == 2
    second.load_state_dict(first.state_dict())
    resumed = trainer()
    second.on_train_start(resumed, None)
    assert resumed.should_stop


def test_evaluation_after_training_does_not_count():
    callback, one = make(patience=1), trainer(loss=5)
    one.state.fn = "validate"
    callback.on_validation_end(one, None)
    assert callback.wait == 0
    assert callback.best == float("inf")
