"""model.params sizes every model, also one that no language model can be made of."""

import pytest

from lmlab import config as configuration
from lmlab.command.size import count, fix_size, on_meta
from lmlab.task.language_modeling import LanguageModeling

VOCAB = 300


@pytest.mark.parametrize(("choice", "step"), [("model=cnn", 10_000), ("model=bag", 2 * (VOCAB + 100_000))])
def test_an_encoder_has_the_nearest_size(choice, step, monkeypatch):
    """Widths are even: the sizes there are lie a step apart."""
    monkeypatch.setattr(LanguageModeling, "causal", False)
    config = configuration.compose([choice, "model.params=2M"])
    fix_size(config, VOCAB)
    assert abs(count(on_meta(config, VOCAB)) - 2_000_000) <= step / 2


def test_dilated_filters_have_the_wanted_size():
    config = configuration.compose(["model=dilated_cnn", "model.params=2M"])
    fix_size(config, VOCAB)
    assert abs(count(on_meta(config, VOCAB)) / 2_000_000 - 1) <= 0.01
