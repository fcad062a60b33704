"""model.params sizes every model, also one that no language model can be made of; FLOPs of scans are those of whole chunks."""

import pytest

from lmlab import config as configuration
from lmlab.command.experiment import resolve
from lmlab.command.size import count, fix_size, flops_per_token, on_meta
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


@pytest.mark.parametrize("model", ["mamba2", "delta_net"])
def test_a_linear_recurrence_has_the_wanted_size(model):
    config = configuration.compose([f"model={model}", "model.params=2M"])
    fix_size(config, VOCAB)
    assert abs(count(on_meta(config, VOCAB)) / 2_000_000 - 1) <= 0.01


def test_a_scan_is_counted_in_chunks_as_it_is_made(tiny):
    """On so few tokens that they are less than a chunk, products within a chunk would count less."""
    words = [word for word in tiny() if not word.startswith(("model", "batch.seq_len"))]

    def flops(seq_len: int) -> float:
        small = ["model=mamba2", "model.dim=16", "model.num_layers=2", f"batch.seq_len={seq_len}"]
        return flops_per_token(resolve(configuration.compose([*words, *small])))

    assert flops(64) == flops(32) == flops(16) + 2 * 3 * 2 * 16 * (64 + 4 * 8)
