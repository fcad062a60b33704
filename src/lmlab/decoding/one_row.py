"""Weights laid out for models that read one token of one text at a time."""

import torch
from torch import nn


def lay_out_for_one_row(model: nn.Module) -> None:
    """Maps that widen keep their columns, not their rows, together in memory: on a CPU in float32, where that is faster.

    There one row times a matrix is bound by memory, and the libraries read the longer side of a matrix faster when it is
    contiguous (`scripts/bench/decode.py`). The values and shapes stay the same; several rows at once get slower.
    """
    for weight in {id(part.weight): part.weight for part in model.modules() if isinstance(part, nn.Linear)}.values():
        rows, columns = weight.shape
        if rows > columns and weight.device.type == "cpu" and weight.dtype == torch.float32:
            weight.data = weight.data.t().contiguous().t()
