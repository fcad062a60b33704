"""Activation checkpointing (Chen et al. 2016): a layer keeps its inputs only, the rest is computed again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def layers(model: nn.Module) -> list[nn.Module]:
    """The layers of a model: what stands in its lists of modules."""
    stacks = [child for child in model.children() if isinstance(child, nn.ModuleList)]
    return [layer for stack in stacks for layer in stack]


def recompute(model: nn.Module) -> None:
    """Makes every layer of the model compute itself twice, with the same dropout; the names of its weights stay."""
    for layer in layers(model):
        layer.forward = partial(_checkpointed, layer.forward)


def _checkpointed(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, **kwargs)
