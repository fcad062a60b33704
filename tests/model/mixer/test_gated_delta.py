import pytest
import torch
from torch import Tensor
from transformers import Qwen3NextConfig
from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextGatedDeltaNet

from lmlab.model.mixer.gated_delta import GatedDelta, scan, unit
from lmlab.types import Course

PRECISION = [(torch.float32, 1e-5), (torch.float64, 1e-10)]


def step_by_step(
    queries: Tensor, keys: Tensor, values: Tensor, rate: Tensor, log_decay: Tensor, starts: Tensor, state: Tensor
):
    """S = a (1 - b k k^T) S + b k v^T, as it is written; a document's start empties S."""
    outputs = []
    unity = torch.eye(keys.shape[-1], dtype=keys.dtype)
    for time in range(queries.shape[1]):
        query, key, value = queries[:, time], keys[:, time], values[:, time]
        decay, write = log_decay[:, time, :, None, None].exp(), rate[:, time, :, None, None]
        state = state.masked_fill(starts[:, time, None, None, None], 0.0)
        erase = unity - write * torch.einsum("zhk,zhl->zhkl", key, key)
        state = decay * (erase @ state) + write * torch.einsum("zhk,zhv->zhkv", key, value)
        outputs.append(torch.einsum("zhk,zhkv->zhv", query, state))
    return torch.stack(outputs, dim=1), state


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISION)
@pytest.mark.parametrize("chunk_size", [1, 5, 16, 64])
def test_the_chunked_scan_equals_the_loop_over_time(dtype, tolerance, chunk_size):
    generator = torch.Generator().manual_seed(chunk_size)
    shapes = ((2, 37, 3, 4), (2, 37, 3, 4), (2, 37, 3, 5), (2, 37, 3), (2, 37, 3), (2, 3, 4, 5))
    queries, keys, values, rate, rates, state = (
        torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes
    )
    parts = (queries, unit(keys), values, rate.sigmoid(), -rates.abs(), state)
    parts = [part.requires_grad_() for part in parts]
    starts = torch.rand(2, 37, generator=generator) < 0.1
    starts[:, :3] = False  # the first goes on with the state
    course = Course(starts.cumsum(1), torch.ones_like(starts))
    found = scan(*parts, course, chunk_size=chunk_size)
    expected = step_by_step(*parts[:5], starts, state)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
    ours, theirs = (torch.autograd.grad(sum(part.sin().sum() for part in each), parts) for each in (found, expected))
    torch.testing.assert_close(ours, theirs, atol=10 * tolerance, rtol=10 * tolerance)


def test_the_layer_equals_transformers_from_the_same_weights():
    torch.manual_seed(0)
    heads, key_dim, value_dim = 2, 3, 6
    theirs = Qwen3NextGatedDeltaNet(
        Qwen3NextConfig(
            hidden_size=8, linear_num_value_heads=heads, linear_num_key_heads=heads, linear_key_head_dim=key_dim,
            linear_value_head_dim=value_dim, linear_conv_kernel_dim=4, rms_norm_eps=1e-6, num_hidden_layers=1,
        ), 0,
    ).eval()  # fmt: skip
    for parameter in theirs.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape)
    ours = GatedDelta(dim=8, num_heads=heads, key_expansion=0.75, value_expansion=1.5, conv_width=4, chunk_size=8)
    by_head = theirs.in_proj_qkvz.weight.view(heads, -1, 8).split([key_dim, key_dim, value_dim, value_dim], dim=1)
    rate, step = theirs.in_proj_ba.weight.view(heads, 2, 8).unbind(1)
    ours.load_state_dict({
        "input.weight": torch.cat([part.flatten(0, 1) for part in by_head] + [rate, step]),
        "convolution.filter.weight": theirs.conv1d.weight,
        "decay.log_rate": theirs.A_log, "decay.bias": theirs.dt_bias,
        "norm.weight": theirs.norm.weight, "output.weight": theirs.out_proj.weight,
    })  # fmt: skip
    states = torch.randn(2, 19, 8)
    with torch.no_grad():
        torch.testing.assert_close(ours(states, None, None)[0], theirs(states), atol=1e-5, rtol=1e-5)


def test_what_stands_under_a_key_is_replaced():
    """With nothing forgotten and every write whole, the memory answers a key with what was last written under it."""
    keys = torch.eye(3)[[0, 1, 0, 2, 1]][None, :, None]
    values = torch.randn(1, 5, 1, 4)
    one = torch.ones(1, 5, 1)
    outputs, state = scan(keys, keys, values, one, 0 * one, None, None, chunk_size=3)
    torch.testing.assert_close(outputs, values)
    torch.testing.assert_close(state[0, 0], values[0, [2, 4, 3], 0])
