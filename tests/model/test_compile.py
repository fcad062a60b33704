import pytest
import torch

from lmlab.types import Memory


@pytest.fixture(autouse=True)
def _without_the_shape_hook(request):
    if request.config.getoption("--jaxtyping-packages"):
        pytest.skip("torch.compile and the shape hook do not go together: make test runs this file without it")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer", "lstm"])
@pytest.mark.parametrize("document", [None, torch.tensor([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]])])
def test_compiled_equals_eager(build, name, document):
    model = build((f"model={name}",))
    inputs = torch.randint(37, (2, 6))
    torch.testing.assert_close(torch.compile(model)(inputs, document).states, model(inputs, document).states)


@pytest.mark.slow
def test_compiled_equals_eager_with_a_memory(build):
    model = build(("model=transformer",), memory_dim=5)
    inputs, memory = torch.randint(37, (2, 6)), torch.randn(2, 4, 5)
    compiled = torch.compile(lambda ids, states: model(ids, None, Memory(states)).states)
    torch.testing.assert_close(compiled(inputs, memory), model(inputs, None, Memory(memory)).states)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mamba2", "delta_net"])
def test_compiled_scans_equal_eager(build, name):
    model = build((f"model={name}", "model.num_layers=1"))
    inputs, document = torch.randint(37, (2, 6)), torch.tensor([[1, 0, 1, 2, 2, 0], [1, 1, 1, 1, 1, 1]])
    torch.testing.assert_close(torch.compile(model)(inputs, document).states, model(inputs, document).states)
