"""Identity takes part in everything that can change the result and in nothing else."""

import pytest

from lmlab.run.identity import EXCLUDED, identity

CONFIG = {"seed": 1, "batch": {"size": 4, "num_workers": 0}, "data": {"path": "a", "split": 0.1}, "model": {"dim": 8}}


def test_the_order_of_keys_does_not_count():
    assert identity({"a": 1, "b": {"c": 2, "d": 3}}, "f") == identity({"b": {"d": 3, "c": 2}, "a": 1}, "f")


@pytest.mark.parametrize("key", EXCLUDED)
def test_an_excluded_key_does_not_count(key):
    assert identity(_with(CONFIG, key, {"x": 1}), "f") == identity(_with(CONFIG, key, None), "f")


@pytest.mark.parametrize(
    "key", ["seed", "model.dim", "batch.size", "data.split", "trainer.devices", "trainer.precision", "trainer.threads"]
)
def test_every_other_key_counts(key):
    assert identity(_with(CONFIG, key, 7), "f") != identity(_with(CONFIG, key, 8), "f")


def test_an_excluded_name_counts_in_another_place():
    assert identity({"model": {"name": "a"}}, "f") != identity({"model": {"name": "b"}}, "f")


def test_the_fingerprint_of_the_data_counts():
    assert identity(CONFIG, "f") != identity(CONFIG, "g")


def test_the_kind_of_a_value_counts():
    values = [1, 1.0, "1", True, [1], [[1]], {"1": 1}, {1: 1}, None, [], {}, [["1", 1]]]
    assert len({identity({"model": value}, "f") for value in values}) == len(values)


def test_the_identity_is_the_same_in_every_process():
    assert identity({"seed": 3, "lr": 1e-5, "名": "世界"}, "f") == "a72db20f6542a0364eea77f05ef819f6"


def _with(config, key, value):
    head, _, rest = key.partition(".")
    return {**config, head: _with(config.get(head, {}), rest, value) if rest else value}
