"""How much memory one training step takes: weights, gradients, the optimizer's state, and what is kept for backward.

Activations are counted on the meta device, where nothing is computed: every distinct storage that autograd saves
(Chen et al. 2016 call it the cost of the feature maps). Left out are the allocator's fragments, workspaces of kernels
and what a library holds by itself: four Transformers and LSTMs of 0.4 to 1.5 GB took 1.06 to 1.25 times as much memory
on a CPU as is estimated here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes of one device that holds all of it."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    backward: int
    """What is alive beside the activations where backward begins: a gradient, twice, of the largest of them."""

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.backward


def training_memory(
    forward: Callable[[], Tensor],
    groups: Sequence[dict[str, Any]],
    optimizer: Callable[[list[dict[str, Any]]], Optimizer],
) -> TrainingMemory:
    """Of one micro-batch: `forward` gives its loss, all on the meta device; `groups` are those of the optimizer."""
    parameters = [parameter for group in groups for parameter in group["params"]]
    weights = sum(size_of(parameter) for parameter in parameters)
    saved = saved_storages(forward, parameters)
    return TrainingMemory(
        weights=weights,
        gradients=weights,
        optimizer=sum(round(state_ratio(group, optimizer) * sum(map(size_of, group["params"]))) for group in groups),
        activations=sum(saved),
        backward=2 * max(saved, default=0),
    )


def saved_storages(forward: Callable[[], Tensor], parameters: Sequence[Tensor]) -> list[int]:
    """Bytes of each storage that autograd keeps from forward to backward, parameters left out."""
    known = {parameter.untyped_storage()._cdata for parameter in parameters}
    storages: dict[int, torch.UntypedStorage] = {}  # held, so that no address is given out twice

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            storages[storage._cdata] = storage
        return tensor

    with FusedAttention(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = forward()
    del loss
    return [storage.nbytes() for storage in storages.values()]


def state_ratio(group: dict[str, Any], optimizer: Callable[[list[dict[str, Any]]], Optimizer]) -> float:
    """Bytes of the optimizer's state per byte of a parameter of this group, tried on a small one."""
    model = group["params"][0]
    trial = nn.Parameter(torch.zeros([16] * model.ndim, dtype=model.dtype, device="cpu"))
    made = optimizer([{**group, "params": [trial]}])
    trial.grad = torch.zeros_like(trial)
    made.step()
    tensors = [value for value in made.state[trial].values() if isinstance(value, Tensor) and value.ndim > 0]
    return sum(size_of(tensor) for tensor in tensors) / size_of(trial)


def size_of(tensor: Tensor) -> int:
    """Bytes of the tensor's own elements."""
    return tensor.numel() * tensor.element_size()


class FusedAttention(TorchFunctionMode):
    """Attention keeps what a fused kernel keeps, not the T x T weights that it falls back to on the meta device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            query, key, value = args[:3]
            return _Fused.apply(query, key, value)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = query.new_empty(*query.shape[:-1], value.shape[-1])
        logsumexp = query.new_empty(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, output, logsumexp)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise NotImplementedError("this attention is counted, not computed")
