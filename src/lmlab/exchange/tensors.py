"""How a published model's tensors stand in ours: one under one name, several side by side in one, or two added up.

Each rule is read both ways: `read` makes ours of theirs, `write` theirs of ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from lmlab.types import Mistake


@runtime_checkable
class Rule(Protocol):
    """One tensor of ours, and what it is there."""

    @property
    def ours(self) -> str: ...

    @property
    def theirs(self) -> tuple[str, ...]: ...

    def read(self, tensors: Sequence[Tensor]) -> Tensor: ...

    def write(self, tensor: Tensor) -> Sequence[Tensor]: ...


@dataclass(frozen=True)
class Same:
    """The same tensor under another name; of GPT-2's Conv1D, transposed."""

    ours: str
    name: str
    is_transposed: bool = False

    @property
    def theirs(self) -> tuple[str, ...]:
        return (self.name,)

    def read(self, tensors: Sequence[Tensor]) -> Tensor:
        return tensors[0].mT if self.is_transposed else tensors[0]

    def write(self, tensor: Tensor) -> Sequence[Tensor]:
        return (tensor.mT if self.is_transposed else tensor,)


@dataclass(frozen=True)
class Joined:
    """Several projections as one, their outputs side by side: of query, key and value; of gate and value."""

    ours: str
    theirs: tuple[str, ...]
    sizes: tuple[int, ...]

    def read(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(tensors))

    def write(self, tensor: Tensor) -> Sequence[Tensor]:
        return torch.split(tensor, list(self.sizes))


@dataclass(frozen=True)
class Folded:
    """A table, to each row of which the first of another is added, which is the same at every place; written back as zero."""

    ours: str
    theirs: tuple[str, str]
    num_rows: int

    def read(self, tensors: Sequence[Tensor]) -> Tensor:
        table, constant = tensors
        return table + constant[:1]

    def write(self, tensor: Tensor) -> Sequence[Tensor]:
        return tensor, tensor.new_zeros(self.num_rows, tensor.shape[1])


def to_ours(rules: Sequence[Rule], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors, by our names.

    Raises:
        Mistake: naming the tensors that are missing, and those that have no place.
    """
    known = {name for rule in rules for name in rule.theirs}
    faults = []
    if missing := sorted(known - set(tensors)):
        faults.append(f"lack {_some(missing)}")
    if unexpected := sorted(set(tensors) - known):
        faults.append(f"have {_some(unexpected)}, for which there is no place")
    if faults:
        raise Mistake(f"the folder's weights {' and '.join(faults)}; its config.json is of another model")
    return {rule.ours: rule.read([tensors[name] for name in rule.theirs]) for rule in rules}


def to_theirs(rules: Sequence[Rule], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors, by their names; a bias that our model does without is zero."""
    found: dict[str, Tensor] = {}
    for rule in rules:
        tensor = tensors[rule.ours] if rule.ours in tensors else _no_bias(rule.ours, tensors)
        found.update(zip(rule.theirs, rule.write(tensor), strict=True))
    return found


def _no_bias(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    weight = tensors[f"{name.removesuffix('.bias')}.weight"]
    return weight.new_zeros(weight.shape[0])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
