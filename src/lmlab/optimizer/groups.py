"""Parameters in groups: weight decay for what is multiplied, none for norms and biases (Loshchilov and Hutter 2019).

Each group carries its `kind`, by which Muon knows the hidden layers (Jordan et al. 2024: no embedding, no output).
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd

KINDS = ("matrix", "embedding", "filter", "vector")
"""matrix: of a hidden layer, or a stack of them; embedding: or projection onto the output, or of a router onto experts;
filter: of a convolution."""


def parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """One group per kind that occurs, in a fixed order; each trainable parameter once, however often it is tied.

    Vectors have `weight_decay` 0; the other groups leave it to the optimizer, whose `optimizer.weight_decay` applies.
    """
    kinds = parameter_kinds(module)
    groups = []
    for kind in KINDS:
        params = [parameter for name, parameter in module.named_parameters() if kinds[name] == kind]
        trainable = [parameter for parameter in params if parameter.requires_grad]
        if trainable:
            no_decay = {"weight_decay": 0.0} if kind == "vector" else {}
            groups.append({"params": trainable, "kind": kind, **no_decay})
    return groups


def parameter_kinds(module: nn.Module) -> dict[str, str]:
    """The kind of every parameter, by name; what stands in a module called `head` or `router` projects onto choices.

    A `model` within a head, or one of its `text`, has layers like any other.
    """
    embeddings = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    filters = {id(part.weight) for part in module.modules() if isinstance(part, _ConvNd)}
    kinds = {}
    for name, parameter in module.named_parameters():
        if parameter.ndim < 2:
            kinds[name] = "vector"
        elif id(parameter) in embeddings or _projects(name):
            kinds[name] = "embedding"
        else:
            kinds[name] = "filter" if id(parameter) in filters else "matrix"
    return kinds


def _projects(name: str) -> bool:
    """Whether the innermost of these modules projects onto choices."""
    owners = [part for part in name.split(".") if part in ("model", "text", "head", "router")]
    return owners[-1:] in (["head"], ["router"])
