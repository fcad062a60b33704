"""A model's shapes without its values: on the meta device, where nothing is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

DRAWN = (Tensor.normal_, Tensor.uniform_, torch.nn.init.normal_, torch.nn.init.uniform_, torch.nn.init.kaiming_uniform_)


@contextmanager
def shapes_only() -> Iterator[None]:
    """What is built here has shapes alone; torch takes milliseconds to draw nothing for each weight, and this does not."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in DRAWN:
            return args[0] if args else given["tensor"]
        return func(*args, **given)
