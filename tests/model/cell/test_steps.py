"""Loops over time with gradients by hand, against torch's kernels."""

import copy

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from lmlab.model.cell import gru, rnn
from lmlab.model.cell.fused import fused, zeros
from lmlab.model.cell.gru import Gru
from lmlab.model.cell.gru_steps import GruSteps
from lmlab.model.cell.rnn import Rnn
from lmlab.model.cell.rnn_steps import RnnSteps

NAMES = ("gru", "tanh", "relu", "sigmoid")


def made(name, *, input_dim=3, dim=4, seed=0):
    torch.manual_seed(seed)
    cell = Gru if name == "gru" else lambda **sizes: Rnn(**sizes, nonlinearity=name)
    return cell(input_dim=input_dim, dim=dim)


def kernel(cell, inputs, state):
    """What torch makes of it."""
    module = cell.gru if isinstance(cell, Gru) else cell.rnn
    before = zeros(inputs, dim=module.hidden_size, parts=1) if state is None else state
    if isinstance(cell, Gru):
        return fused(torch.gru, module, inputs, before)
    return by_formula(module, inputs, before[0]) if cell.kernel is None else fused(cell.kernel, module, inputs, before)


def by_formula(module, inputs, hidden):
    states = []
    for step in inputs.unbind(1):
        driven = nn.functional.linear(step, module.weight_ih_l0, module.bias_ih_l0)
        hidden = torch.sigmoid(driven + nn.functional.linear(hidden, module.weight_hh_l0, module.bias_hh_l0))
        states.append(hidden)
    return torch.stack(states, 1), (hidden,)


def passed(function, cell, inputs, state, *, autocast=False):
    """States, last state and all gradients of one pass through a copy of the cell."""
    cell, inputs = copy.deepcopy(cell), inputs.clone().requires_grad_()
    state = None if state is None else (state[0].clone().requires_grad_(),)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast, cache_enabled=False):
        states, (last,) = function(cell, inputs, state)
    weight = torch.randn(states.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ((states * weight).sum() + (last * weight[:, 0]).sum()).backward()
    found = {"states": states.detach(), "last": last.detach(), "inputs": inputs.grad}
    found |= {} if state is None else {"state": state[0].grad}
    return found | {key: parameter.grad for key, parameter in cell.named_parameters()}


def by_steps(cell, inputs, state):
    before = zeros(inputs, dim=4, parts=1) if state is None else state
    return cell._by_steps(inputs, before[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("has_state", [False, True], ids=["from zeros", "from a state"])
@pytest.mark.parametrize("name", NAMES)
def test_steps_equal_the_kernel_and_its_gradients(name, has_state, dtype):
    cell, inputs = made(name).to(dtype), torch.randn(2, 5, 3, dtype=dtype)
    state = (torch.randn(2, 4, dtype=dtype),) if has_state else None
    found, expected = passed(by_steps, cell, inputs, state), passed(kernel, cell, inputs, state)
    near = 1e-6 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(found, expected, rtol=near, atol=near)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name):
    torch.manual_seed(0)
    gates, steps = (3, GruSteps) if name == "gru" else (1, RnnSteps)
    more = () if name == "gru" else (name,)
    shapes = [(5, 2, gates * 4), (2, 4), (gates * 4, 4), (gates * 4,)]
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(lambda *given: steps.apply(*given, *more), tensors)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_is_nearer_to_float64_than_the_kernel(name):
    """States and all gradients, by the mean over a few cells of their relative distance."""
    errors = {}
    for seed in range(4):
        cell = made(name, input_dim=24, dim=40, seed=seed)
        if name == "relu":
            cell.rnn.bias_ih_l0.data.fill_(3)  # no unit near 0, where a rounding switches its gradient off
            cell.rnn.weight_hh_l0.data.mul_(0.2)
        inputs, state = torch.randn(8, 64, 24), (torch.rand(8, 40),)
        exact = passed(kernel, copy.deepcopy(cell).double(), inputs.double(), (state[0].double(),))
        for who, function in (("ours", type(cell).__call__), ("kernel", kernel)):
            for key, value in passed(function, cell, inputs, state, autocast=True).items():
                error = (value.double() - exact[key]).norm() / exact[key].norm()
                errors[key, who] = errors.get((key, who), 0.0) + error.item() / 4
    assert max(errors.values()) < 0.02
    assert {key: error for (key, who), error in errors.items() if who == "ours" and error > errors[key, "kernel"]} == {}


@pytest.mark.parametrize("state_dtype", [None, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["gru", "tanh"])
def test_types_under_autocast_are_the_kernels(name, dtype, state_dtype):
    cell, inputs = made(name), torch.randn(2, 5, 3, dtype=dtype)
    state = None if state_dtype is None else (torch.randn(2, 4).to(state_dtype),)
    found, expected = (passed(it, cell, inputs, state, autocast=True) for it in (type(cell).__call__, kernel))
    assert {key: value.dtype for key, value in found.items()} == {key: value.dtype for key, value in expected.items()}


@pytest.mark.parametrize("name", ["gru", "tanh"])
def test_the_kernel_runs_unless_a_cpu_autocasts(name, monkeypatch):
    def refuse(*_):
        raise AssertionError("the kernel is not asked")

    cell, inputs = made(name), torch.randn(2, 5, 3)
    monkeypatch.setattr(gru if name == "gru" else rnn, "fused", refuse)
    with torch.autocast("cpu", torch.bfloat16):
        cell(inputs, None)
        with pytest.raises(AssertionError, match="not asked"):
            cell.to("meta")(inputs.to("meta"), None)
    with pytest.raises(AssertionError, match="not asked"):
        made(name)(inputs, None)


@pytest.mark.parametrize("name", NAMES)
def test_casts_of_the_recurrent_weight_do_not_grow_with_time(name):
    def casts(time):
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found:
            passed(type(cell).__call__, cell, torch.randn(2, time, 3), None, autocast=True)
        shape = next(parameter.shape for key, parameter in cell.named_parameters() if "weight_hh" in key)
        return sum(event.name == "aten::_to_copy" and event.input_shapes[0] == list(shape) for event in found.events())

    cell = made(name, dim=7)
    assert casts(13) == casts(3)


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_weight_and_no_gradients_at_all_are_fine(name):
    cell, inputs = made(name), torch.randn(2, 5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.inference_mode():
            expected, _ = cell(inputs, None)
        for key, parameter in cell.named_parameters():
            parameter.requires_grad_("weight_hh" not in key)
        states, _ = cell(inputs, None)
    torch.testing.assert_close(states, expected, rtol=0, atol=0)
    states.float().sum().backward()
    assert [key for key, parameter in cell.named_parameters() if parameter.grad is None] == [
        key for key, _ in cell.named_parameters() if "weight_hh" in key
    ]


@pytest.mark.parametrize("name", NAMES)
def test_autocast_gives_the_same_numbers_twice(name):
    cell, inputs = made(name, input_dim=24), torch.randn(5, 17, 24)
    first, second = (passed(type(cell).__call__, cell, inputs, None, autocast=True) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["gru", "rnn"])
def test_autocast_of_two_layers_in_two_directions_over_documents_is_near_float32(name, build):
    model = build((f"model={name}", "model.bidirectional=true", "model.num_layers=2"), causal=False)
    ids = torch.randint(37, (2, 9))
    document = torch.tensor([[1, 1, 1, 2, 2, 2, 2, 0, 0], [1, 2, 2, 2, 3, 3, 3, 3, 3]])

    def gradients(enabled):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled, cache_enabled=False):
            states = model(ids, document).states
        states.float().square().sum().backward()
        return states.float(), {key: parameter.grad.clone() for key, parameter in model.named_parameters()}

    (states, found), (exact_states, exact) = gradients(True), gradients(False)
    torch.testing.assert_close(states, exact_states, rtol=0.02, atol=0.02)
    for key, gradient in found.items():
        assert (gradient - exact[key]).norm() < 0.03 * exact[key].norm(), key
