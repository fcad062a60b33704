"""Momentum with all singular values set to one, by Newton-Schulz iteration (Jordan et al. 2024), AdamW for the rest.

The update of a matrix is scaled by 0.2 sqrt(max(rows, columns)), to the root mean square of AdamW's (Liu et al. 2025,
eq. 4), so that AdamW's learning rate and weight decay carry over.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from lmlab.types import Mistake


class Muon(Optimizer):
    """Groups of kind "matrix" are orthogonalised, all others go to AdamW; groups are those of `parameter_groups`.

    Args:
        adamw_lr: The learning rate of the other groups; None: the same.
    """

    def __init__(
        self,
        params: list[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        num_iterations: int,
        adamw_lr: float | None,
        adamw_betas: tuple[float, float] | list[float],
        adamw_eps: float,
    ) -> None:
        if not 0 <= momentum < 1:
            raise Mistake(f"optimizer.momentum={momentum} is not in [0, 1); set optimizer.momentum to 0.95")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "kind": "matrix"})
        self.momentum, self.num_iterations = momentum, num_iterations
        self.adamw_betas, self.adamw_eps = (float(adamw_betas[0]), float(adamw_betas[1])), adamw_eps
        for group in self.param_groups:
            if group["kind"] != "matrix" and adamw_lr is not None:
                group["lr"] = adamw_lr

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            params = [parameter for parameter in group["params"] if parameter.grad is not None]
            if params and group["kind"] == "matrix":
                self._step_matrices(params, lr=group["lr"], weight_decay=group["weight_decay"])
            elif params:
                self._step_adamw(params, lr=group["lr"], weight_decay=group["weight_decay"])
        return loss

    def _step_matrices(self, params: list[Tensor], *, lr: float, weight_decay: float) -> None:
        grads = [local(parameter.grad) for parameter in params if parameter.grad is not None]
        averages = [local(self._state(parameter, "momentum")) for parameter in params]
        torch._foreach_lerp_(averages, grads, 1 - self.momentum)
        ahead = torch._foreach_lerp(grads, averages, self.momentum)  # Nesterov's
        updates = [whole(update, parameter) for update, parameter in zip(ahead, params, strict=True)]
        torch._foreach_mul_([local(parameter) for parameter in params], 1 - lr * weight_decay)
        by_shape = defaultdict(list)
        for parameter, update in zip(params, updates, strict=True):
            by_shape[update.shape[-2:]].append((parameter, update))
        for (rows, columns), pairs in by_shape.items():
            stack = torch.cat([update.reshape(-1, rows, columns) for _, update in pairs])
            stack = orthogonalize(stack, self.num_iterations).mul_(-lr * 0.2 * math.sqrt(max(rows, columns)))
            pieces = torch.split(stack, [update.numel() // (rows * columns) for _, update in pairs])
            for (parameter, _), piece in zip(pairs, pieces, strict=True):
                local(parameter).add_(share(piece.view(parameter.shape), parameter))

    def _step_adamw(self, params: list[Tensor], *, lr: float, weight_decay: float) -> None:
        is_fused = params[0].device.type in ("cpu", "cuda")
        steps = [self._count(parameter) for parameter in params]
        adamw(
            [local(parameter) for parameter in params],
            [local(parameter.grad) for parameter in params if parameter.grad is not None],
            [local(self._state(parameter, "mean")) for parameter in params],
            [local(self._state(parameter, "square")) for parameter in params],
            [],
            steps,
            fused=is_fused,
            foreach=not is_fused,
            amsgrad=False,
            beta1=self.adamw_betas[0],
            beta2=self.adamw_betas[1],
            lr=lr,
            weight_decay=weight_decay,
            eps=self.adamw_eps,
            maximize=False,
        )

    def _state(self, parameter: Tensor, name: str) -> Tensor:
        state: dict[str, Tensor] = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state[name]

    def _count(self, parameter: Tensor) -> Tensor:
        state: dict[str, Tensor] = self.state[parameter]
        if "step" not in state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
        return state["step"]


def local(tensor: Tensor) -> Tensor:
    """This rank's piece of a tensor that is cut over several, in its own memory; else the tensor."""
    found: Tensor = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return found


def whole(update: Tensor, parameter: Tensor) -> Tensor:
    """The update of all ranks: a matrix is orthogonal as a whole, its pieces are not."""
    if not isinstance(parameter, DTensor):
        return update
    cut = DTensor.from_local(
        update, parameter.device_mesh, parameter.placements, shape=parameter.shape, stride=parameter.stride()
    )
    found: Tensor = cut.full_tensor()
    return found


def share(update: Tensor, parameter: Tensor) -> Tensor:
    """What of the whole update is this rank's."""
    if not isinstance(parameter, DTensor):
        return update
    return local(distribute_tensor(update, parameter.device_mesh, parameter.placements, src_data_rank=None))


def orthogonalize(
    matrices: Float[Tensor, "batch rows columns"], num_iterations: int
) -> Float[Tensor, "batch rows columns"]:
    """U V^T of each matrix U S V^T, nearly: singular values end between about 0.7 and 1.2, as good in training.

    X <- a X + b (X X^T) X + c (X X^T)^2 X, with the coefficients that lift small singular values fastest.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    states = matrices.mT if is_tall else matrices  # the smaller side squared is the cheaper product
    states = (states / states.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)).to(_fast_dtype(states.device.type))
    for _ in range(num_iterations):
        gram = states @ states.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        states = torch.baddbmm(states, polynomial, states, beta=a)
    return (states.mT if is_tall else states).to(matrices.dtype)


@cache
def _fast_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies it: twice to four times as fast on a CPU with AVX512-BF16, as measured."""
    is_fast = device == "cuda" or (device == "cpu" and torch.cpu._is_avx512_bf16_supported())
    return torch.bfloat16 if is_fast else torch.float32
