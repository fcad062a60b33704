import pytest
import torch
from torch import nn

from lmlab.optimizer.groups import parameter_groups
from lmlab.optimizer.muon import Muon, orthogonalize
from lmlab.types import Mistake

KEYS = {"momentum": 0.9, "weight_decay": 0.1, "num_iterations": 5, "adamw_betas": (0.8, 0.9), "adamw_eps": 1e-8}


def muon(groups, **changes):
    return Muon(groups, **({"lr": 0.02, "adamw_lr": None} | KEYS | changes))


def gradients(shape, steps):
    torch.manual_seed(2)
    return [torch.randn(shape) for _ in range(steps)]


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (6, 6)])
def test_one_matrix_moves_as_with_torch_muon(shape):
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch has no Muon")
    ours, theirs = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.ones(shape))
    one = muon([{"params": [ours], "kind": "matrix"}])
    other = torch.optim.Muon([theirs], lr=0.02, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients(shape, 5):
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        one.step()
        other.step()
    torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=0)  # bfloat16: one step is 0.02 * 0.2 * sqrt(9) * 0.3


def test_other_groups_move_exactly_as_with_torch_adamw():
    ours = [nn.Parameter(torch.ones(5, 3)), nn.Parameter(torch.ones(7))]
    theirs = [nn.Parameter(torch.ones(5, 3)), nn.Parameter(torch.ones(7))]
    one = muon([{"params": ours, "kind": "embedding"}], adamw_lr=0.03)
    other = torch.optim.AdamW(theirs, lr=0.03, betas=(0.8, 0.9), weight_decay=0.1, fused=True)
    for _ in range(4):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        one.step()
        other.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("shape", [(3, 8, 5), (2, 5, 8), (1, 7, 7)])
def test_orthogonalized_singular_values_are_near_one_and_directions_stay(shape):
    torch.manual_seed(4)
    matrices = torch.randn(shape)
    result = orthogonalize(matrices, 5)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5
    assert values.max() < 1.5
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    diagonal = left.mT @ result @ right.mT
    off = diagonal - torch.diag_embed(diagonal.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 0.1


def test_matrices_of_equal_shape_and_stacks_move_as_each_alone():
    torch.manual_seed(5)
    together = [nn.Parameter(torch.randn(4, 6)) for _ in range(3)] + [nn.Parameter(torch.randn(2, 4, 6))]
    grads = [torch.randn_like(parameter) for parameter in together]
    alone = [nn.Parameter(parameter.detach().clone()) for parameter in together]
    for parameter, gradient in zip(together, grads, strict=True):
        parameter.grad = gradient.clone()
    muon([{"params": together, "kind": "matrix"}]).step()
    for parameter, gradient, expected in zip(alone, grads, together, strict=True):
        parameter.grad = gradient.clone()
        muon([{"params": [parameter], "kind": "matrix"}]).step()
        torch.testing.assert_close(parameter, expected, atol=1e-3, rtol=0)


def test_an_update_is_as_large_as_one_of_adamw():
    parameter = nn.Parameter(torch.zeros(32, 48))
    parameter.grad = torch.randn(32, 48)
    muon([{"params": [parameter], "kind": "matrix"}], lr=1.0).step()
    assert 0.1 < parameter.square().mean().sqrt() < 0.3  # Liu et al. 2025: 0.2 to 0.4 with AdamW


def test_only_the_other_groups_take_adamw_lr():
    module = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 4))
    optimizer = muon(parameter_groups(module), adamw_lr=0.5)
    assert {group["kind"]: group["lr"] for group in optimizer.param_groups} == {
        "matrix": 0.02,
        "embedding": 0.5,
        "vector": 0.5,
    }


def test_senseless_momentum_is_refused():
    with pytest.raises(Mistake, match=r"optimizer\.momentum=1\.0"):
        muon([{"params": [nn.Parameter(torch.ones(2, 2))], "kind": "matrix"}], momentum=1.0)
