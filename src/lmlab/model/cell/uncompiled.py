"""Loops over time are left to torch as they stand: compiled they are unrolled, which takes minutes and grows with length."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def uncompiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which torch.compile calls and does not look into."""
    disable: Any = torch.compiler.disable  # untyped
    found: Callable[P, R] = disable(function)
    return found
