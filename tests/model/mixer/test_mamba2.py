import pytest
import torch
from torch import Tensor
from transformers import Mamba2Config, Mamba2Model

from lmlab.model.linear_recurrent import LinearRecurrent
from lmlab.model.mixer.decay import RATE, STEP
from lmlab.model.mixer.mamba2 import Mamba2, scan
from lmlab.model.norm.rms_norm import RmsNorm
from lmlab.types import Course

PRECISION = [(torch.float32, 1e-5), (torch.float64, 1e-10)]


def mamba2(*, dim: int, num_heads: int = 4, chunk_size: int = 8) -> Mamba2:
    return Mamba2(dim=dim, num_heads=num_heads, expansion=2.0, state_dim=5, conv_width=4, chunk_size=chunk_size)


def step_by_step(inputs: Tensor, keys: Tensor, queries: Tensor, log_decay: Tensor, starts: Tensor, state: Tensor):
    """The recurrence as it is written; a document's start empties the state."""
    outputs = []
    for time in range(inputs.shape[1]):
        state = state.masked_fill(starts[:, time, None, None, None], 0.0)
        added = torch.einsum("zn,zhp->znhp", keys[:, time], inputs[:, time])
        state = log_decay[:, time, None, :, None].exp() * state + added
        outputs.append(torch.einsum("zn,znhp->zhp", queries[:, time], state))
    return torch.stack(outputs, dim=1), state


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISION)
@pytest.mark.parametrize("chunk_size", [1, 5, 16, 64])
def test_the_chunked_scan_equals_the_loop_over_time(dtype, tolerance, chunk_size):
    generator = torch.Generator().manual_seed(chunk_size)
    shapes = ((2, 37, 3, 4), (2, 37, 5), (2, 37, 5), (2, 37, 3), (2, 5, 3, 4))
    inputs, keys, queries, rates, state = (torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes)
    parts = [part.requires_grad_() for part in (inputs, keys, queries, -rates.abs(), state)]
    starts = torch.rand(2, 37, generator=generator) < 0.1
    starts[:, :3] = False  # the first goes on with the state
    course = Course(starts.cumsum(1), torch.ones_like(starts))
    found = scan(*parts, course, chunk_size=chunk_size)
    expected = step_by_step(*parts[:4], starts, state)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
    ours, theirs = (torch.autograd.grad(sum(part.sin().sum() for part in each), parts) for each in (found, expected))
    torch.testing.assert_close(ours, theirs, atol=10 * tolerance, rtol=10 * tolerance)


def test_the_model_equals_transformers_from_the_same_weights():
    torch.manual_seed(0)
    config = Mamba2Config(
        vocab_size=37, hidden_size=12, num_heads=4, head_dim=6, state_size=5, expand=2, n_groups=1, conv_kernel=4,
        chunk_size=8, num_hidden_layers=2, residual_in_fp32=False, hidden_act="silu",
    )  # fmt: skip
    theirs = Mamba2Model(config).eval()
    ours = LinearRecurrent(
        vocab_size=37, causal=True, dim=12, num_layers=2, dropout=0.0, init_std=0.02, mixer=mamba2, cross_attention=None,
        norm=lambda *, dim: RmsNorm(dim=dim, eps=1e-5), feedforward=None,
    )  # fmt: skip
    names = {
        "A_log": "decay.log_rate", "dt_bias": "decay.bias", "D": "skip", "in_proj": "input", "out_proj": "output",
        "conv1d": "convolution.filter", "embeddings": "embedding", "layers": "blocks", "norm_f": "norm",
    }  # fmt: skip
    state = {}
    for name, value in theirs.state_dict().items():
        value = value + 0.3 * torch.randn(value.shape) if value.ndim > 1 else value + 0.1 * torch.randn(value.shape)
        theirs.get_parameter(name).data = value
        words = name.replace(".norm.", ".mixer_branch.norm.", ".mixer." not in name)
        state[".".join(names.get(word, word) for word in words.split("."))] = value
    ours.load_state_dict(state)
    inputs = torch.randint(37, (2, 19))
    with torch.no_grad():
        expected = theirs(inputs).last_hidden_state
        torch.testing.assert_close(ours(inputs).states, expected, atol=1e-5, rtol=1e-5)


def test_decays_begin_within_the_published_bounds():
    torch.manual_seed(0)
    decay = mamba2(dim=8, num_heads=64).decay
    step, log_decay = decay(torch.zeros(1, 1, 64), None)
    low, high = STEP
    assert 0.99 * low <= step.min() < 3 * low
    assert high / 3 < step.max() <= 1.01 * high
    rate = -log_decay / step
    assert RATE[0] <= rate.min() < 3
    assert 14 < rate.max() <= RATE[1] + 1e-3


def test_no_state_reaches_from_one_document_into_the_next_however_slow_the_decay():
    mixer = mamba2(dim=6)
    mixer.decay.log_rate.data.fill_(-torch.inf)  # nothing is ever forgotten
    states = torch.randn(1, 9, 6)
    segment = torch.tensor([[1, 1, 1, 1, 2, 2, 2, 2, 2]])
    both, _ = mixer(states, None, Course(segment, torch.ones_like(segment, dtype=torch.bool)))
    alone, _ = mixer(states[:, 4:], None, None)
    torch.testing.assert_close(both[:, 4:], alone)
