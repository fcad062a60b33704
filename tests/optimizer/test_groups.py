import torch
from torch import nn

from lmlab.optimizer.groups import parameter_groups, parameter_kinds


class Task(nn.Module):
    def __init__(self, tied):
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.position = nn.Embedding(7, 5)
        self.conv = nn.Conv1d(5, 5, 3)
        self.experts = nn.Parameter(torch.randn(2, 5, 4))
        self.cell = nn.LSTM(5, 5)
        self.heads = nn.Linear(5, 5)
        self.norm = nn.LayerNorm(5)
        self.router = nn.Linear(5, 3, bias=False)
        self.head = nn.Linear(5, 11)
        if tied:
            self.head.weight = self.embedding.weight


def test_kinds_follow_from_what_a_parameter_does():
    kinds = parameter_kinds(Task(tied=False))
    assert {name for name, kind in kinds.items() if kind == "matrix"} == {
        "experts",
        "cell.weight_ih_l0",
        "cell.weight_hh_l0",
        "heads.weight",
    }
    assert {name for name, kind in kinds.items() if kind == "embedding"} == {
        "embedding.weight",
        "position.weight",
        "head.weight",
        "router.weight",
    }
    assert {name for name, kind in kinds.items() if kind == "filter"} == {"conv.weight"}
    assert all(kind == "vector" for name, kind in kinds.items() if "bias" in name or "norm" in name)


def test_a_tied_parameter_stands_in_one_group_once_and_is_an_embedding():
    module = Task(tied=True)
    params = [parameter for group in parameter_groups(module) for parameter in group["params"]]
    assert len(params) == len({id(parameter) for parameter in params}) == len(list(module.parameters()))
    embeddings = next(group for group in parameter_groups(module) if group["kind"] == "embedding")["params"]
    assert {id(parameter) for parameter in embeddings} == {
        id(one.weight) for one in (module.head, module.position, module.router)
    }


def test_vectors_have_no_weight_decay_and_the_rest_the_optimizers():
    optimizer = torch.optim.AdamW(parameter_groups(Task(tied=True)), lr=0.1, weight_decay=0.3)
    for group in optimizer.param_groups:
        assert group["weight_decay"] == (0.0 if group["kind"] == "vector" else 0.3)
        assert all((parameter.ndim < 2) == (group["kind"] == "vector") for parameter in group["params"])


def test_frozen_parameters_are_left_out():
    module = Task(tied=False)
    module.embedding.requires_grad_(False)
    params = [parameter for group in parameter_groups(module) for parameter in group["params"]]
    assert len(params) == len(list(module.parameters())) - 1


def test_a_model_of_texts_in_a_head_has_matrices_and_its_projection_is_the_heads():
    task = nn.ModuleDict({"head": nn.ModuleDict({"text": nn.Linear(3, 3), "projection": nn.Linear(3, 3)})})
    kinds = parameter_kinds(task)
    assert kinds["head.text.weight"] == "matrix"
    assert kinds["head.projection.weight"] == "embedding"
