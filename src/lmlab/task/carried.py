"""The state that streams hand on from step to step, by the rows of the global batch: any number of ranks can go on with it."""

from typing import Any

import torch
from torch import Tensor, distributed

from lmlab.task.exchange import is_several
from lmlab.types import Batch

State = Any


class Carried:
    """One state per pass of a step; in a checkpoint one per first row, of all ranks."""

    def __init__(self) -> None:
        self.states: dict[int, State] = {}
        self._rows: dict[int, Tensor] = {}
        self._saved: dict[int, State] = {}

    def before(self, micro: int, batch: Batch) -> State:
        """What the rows of this pass carry; None where they begin anew."""
        if batch.rows is None or batch.is_start:
            return None
        if micro not in self.states and self._saved:
            self.states[micro] = moved(part(self._saved, batch.rows.tolist()), batch.rows.device)
        return self.states.get(micro)

    def keep(self, micro: int, batch: Batch, state: State) -> None:
        """What the rows of this pass carry on, without its graph: backpropagation ends at the step's border."""
        if batch.rows is not None:
            self.states[micro], self._rows[micro] = detached(state), batch.rows

    def state_dict(self) -> dict[int, State]:
        """First row -> state, on every rank that of all; every rank calls it."""
        own = {int(self._rows[micro][0]): moved(state, torch.device("cpu")) for micro, state in self.states.items()}
        own = own or self._saved
        if not own or not is_several():
            return own
        parts: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(parts, own)
        return {row: state for one in parts for row, state in sorted(one.items())}

    def load(self, saved: dict[int, State]) -> None:
        """Goes on from a checkpoint's."""
        self.states, self._rows, self._saved = {}, {}, saved


def part(saved: dict[int, State], rows: list[int]) -> State:
    """The state of some rows; bit for bit as it was saved where it was saved for these rows."""
    first = rows[0]
    if first in saved and num_rows(saved[first]) == len(rows):
        return saved[first]
    states = [saved[row] for row in sorted(saved)]
    return sliced(joined(states, [num_rows(state) for state in states]), first, first + len(rows))


def joined(states: list[State], sizes: list[int]) -> State:
    """States of rows one after the other; what only some have (numbers of documents) is 1 in the others."""
    known = next(state for state in states if state is not None)
    if isinstance(known, Tensor):
        filled = [known.new_ones(size, *known.shape[1:]) if s is None else s for s, size in zip(states, sizes)]
        return torch.cat(filled)
    length = max(len(state or ()) for state in states)
    columns = [[state[at] if state and at < len(state) else None for state in states] for at in range(length)]
    return tuple(joined(column, sizes) for column in columns)


def num_rows(state: State) -> int:
    """How many rows a state is of."""
    return len(state) if isinstance(state, Tensor) else next(num_rows(one) for one in state if one is not None)


def sliced(state: State, start: int, stop: int) -> State:
    """The state of rows start up to stop."""
    return state[start:stop] if isinstance(state, Tensor) else tuple(sliced(one, start, stop) for one in state)


def moved(state: State, device: torch.device) -> State:
    """The state on a device."""
    if isinstance(state, Tensor):
        return state.to(device)
    return None if state is None else tuple(moved(one, device) for one in state)


def detached(state: State) -> State:
    """The state without its graph."""
    if isinstance(state, Tensor):
        return state.detach()
    return None if state is None else tuple(detached(one) for one in state)
