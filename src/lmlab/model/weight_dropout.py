"""DropConnect on the weights from hidden state to hidden state, one mask for all times (Merity et al. 2018, section 2)."""

from functools import partial

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.modules.dropout import _DropoutNd

from lmlab.types import Cell, Mistake


class WeightDropout(_DropoutNd):
    """Makes of a cell that of one pass: however often it is called, the same of its recurrent weights are missing."""

    def __init__(self, p: float, *, cells: tuple[Cell, ...]) -> None:
        super().__init__(p)
        for cell in cells if p > 0 else ():
            if not _recurrent_weights(cell):
                raise Mistake(
                    f"model.weight_dropout={p} falls on weights called weight_hh, and {type(cell).__name__} has none; "
                    "set model.weight_dropout=0.0, or choose model/cell=lstm"
                )

    def forward(self, cell: Cell) -> Cell:
        if not self.training or self.p == 0:
            return cell
        assert isinstance(cell, nn.Module), "a cell is a module"
        weights = {name: F.dropout(weight, self.p) for name, weight in _recurrent_weights(cell).items()}
        return partial(_call, cell, weights)


def _recurrent_weights(cell: Cell) -> dict[str, nn.Parameter]:
    """From hidden state to hidden state: those that are called as torch calls them."""
    assert isinstance(cell, nn.Module), "a cell is a module"
    return {name: weight for name, weight in cell.named_parameters() if "weight_hh" in name}


def _call(
    cell: nn.Module, weights: dict[str, Tensor], inputs: Tensor, state: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    found: tuple[Tensor, tuple[Tensor, ...]] = functional_call(cell, weights, (inputs, state))
    return found
