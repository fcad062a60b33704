"""One recurrent layer, forward in time or in both directions (Schuster and Paliwal 1997)."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, cat, nn

from lmlab.model.segment import Segment, cut, run
from lmlab.types import Cell, CellFactory, Mistake


class Pieces(NamedTuple):
    """Where documents cut the time axis, read forward and backward."""

    forward: list[Segment]
    backward: list[Segment]
    last: Tensor
    """Each row's last document number."""


def pieces_of(document: Int[Tensor, "batch time"], last: Int[Tensor, " batch"] | None, *, causal: bool) -> Pieces:
    """Both readings where both are needed."""
    forward, last = cut(document, last)
    return Pieces(forward, [] if causal else cut(document.flip(1), None)[0], last)


class Forward(nn.Module):
    """A cell that reads forward: the layer of a causal model."""

    def __init__(self, *, cell: CellFactory, input_dim: int, dim: int) -> None:
        super().__init__()
        self.cell: Cell = cell(input_dim=input_dim, dim=dim)

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], pieces: Pieces | None, state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        return run(self.cell, inputs, None if pieces is None else pieces.forward, state)


class Bidirectional(nn.Module):
    """Two cells of half the width, one reading forward, one backward; also their last states stand side by side."""

    def __init__(self, *, cell: CellFactory, input_dim: int, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise Mistake(f"model.dim={dim} is odd, but an encoder reads in two directions; set it to an even width")
        self.forwards: Cell = cell(input_dim=input_dim, dim=dim // 2)
        self.backwards: Cell = cell(input_dim=input_dim, dim=dim // 2)

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], pieces: Pieces | None, state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        assert state is None, "an encoder sees its whole input at once"
        there, there_last = run(self.forwards, inputs, None if pieces is None else pieces.forward, None)
        back, back_last = run(self.backwards, inputs.flip(1), None if pieces is None else pieces.backward, None)
        last = tuple(cat(pair, dim=-1) for pair in zip(there_last, back_last, strict=True))
        return cat((there, back.flip(1)), dim=-1), last


def widths_of(layers: Iterable[nn.Module], input_dim: int) -> tuple[tuple[int, ...], ...]:
    """Those of each layer's state tensors, by one step: only the cells know how many they have."""
    layers = list(layers)
    with torch.no_grad(), torch.random.fork_rng([]):  # dropout takes nothing from the run's random numbers
        step, lasts = next(layers[0].parameters()).new_zeros(1, 1, input_dim), []
        for layer in layers:
            step, last = layer(step, None, None)
            lasts.append(last)
    return tuple(tuple(part.shape[1] for part in last) for last in lasts)
