from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmlab.budget.memory import saved_storages, training_memory
from lmlab.optimizer.groups import parameter_groups
from lmlab.optimizer.muon import Muon

BATCH, DIM, HIDDEN = 7, 6, 10


def network(device="meta"):
    with torch.device(device):
        return nn.Sequential(nn.Linear(DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, DIM))


def inputs(device="meta"):
    return torch.zeros(BATCH, DIM, device=device)


def test_activations_of_a_small_network_are_those_counted_by_hand():
    model, x = network(), inputs()
    saved = saved_storages(lambda: model(x).square().sum(), list(model.parameters()))
    # the input of each linear map (the second is also what ReLU keeps) and of the square
    assert sorted(saved) == sorted([4 * BATCH * DIM, 4 * BATCH * HIDDEN, 4 * BATCH * DIM])


def test_the_meta_device_counts_what_a_real_one_keeps():
    counts = []
    for device in ("meta", "cpu"):
        model, x = network(device), inputs(device)
        counts.append(sum(saved_storages(lambda: model(x).square().sum(), list(model.parameters()))))  # noqa: B023
    assert counts[0] == counts[1]


@pytest.mark.parametrize("time", [16, 32])
def test_attention_keeps_no_weights_of_all_pairs_as_with_a_fused_kernel(time):
    query = torch.zeros(2, 3, time, 4, device="meta", requires_grad=True)
    saved = saved_storages(lambda: F.scaled_dot_product_attention(query, query, query, is_causal=True).sum(), [])
    assert sum(saved) == 4 * (2 * 3 * time * 4) * 2 + 4 * (2 * 3 * time)  # query, output, log-sum-exp


@pytest.mark.parametrize(
    ("optimizer", "states"),
    [
        (partial(torch.optim.AdamW, lr=0.1, fused=True), 2.0),
        (partial(torch.optim.SGD, lr=0.1), 0.0),
        (partial(torch.optim.SGD, lr=0.1, momentum=0.9), 1.0),
        (partial(torch.optim.Adagrad, lr=0.1), 1.0),
    ],
)
def test_the_optimizers_state_is_measured_on_the_optimizer_itself(optimizer, states):
    model, x = network(), inputs()
    memory = training_memory(lambda: model(x).sum(), parameter_groups(model), optimizer)
    assert memory.weights == memory.gradients == 4 * (2 * DIM * HIDDEN + DIM + HIDDEN)
    assert memory.optimizer == states * memory.weights
    assert memory.total == sum(vars(memory).values())


def test_muon_keeps_one_state_for_matrices_and_two_for_the_rest():
    keys = {"momentum": 0.9, "weight_decay": 0.1, "num_iterations": 5, "adamw_lr": None}
    muon = partial(Muon, lr=0.1, adamw_betas=(0.9, 0.95), adamw_eps=1e-8, **keys)
    model, x = network(), inputs()
    memory = training_memory(lambda: model(x).sum(), parameter_groups(model), muon)
    assert memory.optimizer == 4 * (2 * DIM * HIDDEN + 2 * (DIM + HIDDEN))
