from shutil import which

import pytest
import torch

from lmlab.model.attention import flex
from lmlab.model.attention.product import attend, plain
from lmlab.types import Mask, Memory


@pytest.fixture(autouse=True)
def _without_the_shape_hook(request):
    if request.config.getoption("--jaxtyping-packages"):
        pytest.skip("torch.compile and the shape hook do not go together: make test runs this file without it")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer", "lstm", "peephole_lstm", "dilated_cnn"])
@pytest.mark.parametrize("document", [None, torch.tensor([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]])])
def test_compiled_equals_eager(build, name, document):
    model = build((f"model={name}",))
    inputs = torch.randint(37, (2, 6))
    torch.testing.assert_close(torch.compile(model)(inputs, document).states, model(inputs, document).states)


@pytest.mark.slow
def test_compiled_experts_equal_eager_ones_whatever_their_shares(build):
    model = build(("model=transformer", "model/feedforward=experts", "model.num_layers=1")).train()
    compiled = torch.compile(model)
    for seed in range(12):  # more than a compiler would compile anew
        torch.manual_seed(seed)
        inputs = torch.randint(37, (2, 6))
        found, expected = compiled(inputs), model(inputs)
        torch.testing.assert_close(found.states, expected.states)
        torch.testing.assert_close(found.extras.losses, expected.extras.losses)


@pytest.mark.slow
def test_compiled_equals_eager_with_a_memory(build):
    model = build(("model=transformer",), memory_dim=5)
    inputs, memory = torch.randint(37, (2, 6)), torch.randn(2, 4, 5)
    compiled = torch.compile(lambda ids, states: model(ids, None, Memory(states)).states)
    torch.testing.assert_close(compiled(inputs, memory), model(inputs, None, Memory(memory)).states)


@pytest.mark.slow
@pytest.mark.skipif(which("g++") is None, reason="needs a C++ compiler")
def test_flex_attention_compiled_for_a_cpu_gives_the_formulas_numbers(monkeypatch):
    monkeypatch.setattr(flex, "_kernel", lambda device: flex._compiled("inductor"))
    query, key, value = (torch.randn(2, heads, 7, 8) for heads in (4, 2, 2))
    mask = Mask(allowed=torch.rand(2, 1, 7, 7) > 0.3)
    keys = {"scale": 0.4, "logit_cap": 0.8, "sinks": None, "dropout": 0.0}
    expected, _ = plain(query, key, value, mask, **keys)
    compiled, _ = attend("flex", query, key, value, mask, **keys, with_weights=False)
    torch.testing.assert_close(compiled, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_compiled_equals_eager_with_cap_sinks_and_gate(build):
    model = build(
        (
            "model=transformer",
            "model.attention.logit_cap=2.0",
            "model.attention.sinks=true",
            "model.attention.gate=head",
        )
    )
    inputs = torch.randint(37, (2, 6))
    torch.testing.assert_close(torch.compile(model)(inputs).states, model(inputs).states)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mamba2", "delta_net"])
def test_compiled_scans_equal_eager(build, name):
    model = build((f"model={name}", "model.num_layers=1"))
    inputs, document = torch.randint(37, (2, 6)), torch.tensor([[1, 0, 1, 2, 2, 0], [1, 1, 1, 1, 1, 1]])
    torch.testing.assert_close(torch.compile(model)(inputs, document).states, model(inputs, document).states)
