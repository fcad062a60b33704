"""How many parameters a model has, each counted once however often it is tied, and how a user writes a size."""

from __future__ import annotations

import re

from torch import nn

from lmlab.types import Mistake

UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}


def count(module: nn.Module) -> int:
    """All parameters, tied ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def table(module: nn.Module) -> dict[str, int]:
    """Parameters by child, in order; a tied one counts where it stands first, so that the rows add up to the whole."""
    rows: dict[str, int] = {}
    for name, parameter in module.named_parameters():
        child = name.split(".")[0] if "." in name else "itself"
        rows[child] = rows.get(child, 0) + parameter.numel()
    return rows


def parse_size(size: int | str) -> int:
    """5000000, "5M", "1.5M", "300k", "1B" -> a number."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmb]?)", str(size).strip().replace("_", ""), flags=re.IGNORECASE)
    number = round(float(match[1]) * UNITS[match[2].lower()]) if match else 0
    if number < 1:
        raise Mistake(f"model.params={size} is no number of parameters; set model.params to one such as 300k, 5M, 1B")
    return number
