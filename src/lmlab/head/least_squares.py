"""Weighted least squares on the logarithms of counts, with AdaGrad, pair by pair (Pennington et al. 2014, eq. 8 and 9).

    J = 1/2 sum f(X_ij) (w_i^T w~_j + b_i + b~_j - log X_ij)^2,    f(x) = min(1, (x / x_max)^alpha)

The half is the published program's, with whose costs the loss compares; the paper has none. AdaGrad is torch's: with every
pair first the sums of squared gradients grow, then weights move by rate * gradient / sqrt(sum). The published program sums
(eta * gradient)^2 from 1: its eta = 0.05 is a rate of 1 with sums that begin at 1 / 0.05^2 = 400.

Where the vectors are not on the CPU, a step is one update by its whole gradient; that was not tried on a GPU.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from torch import Tensor, nn

from lmlab.types import Cooccurrences, Mistake, TwoSided, Vocabulary, WordModel, WordWindows

Array = np.ndarray[Any, np.dtype[Any]]


class LeastSquares(nn.Module):
    """See WordHead. Several threads take a part of each step and write without locks.

    Args:
        dim: of the vectors; everything that is learned is the model's.
        vocabulary: as `dim`.
        x_max: count from which on all pairs weigh the same.
        alpha: how fast weights fall below it.
    """

    reads = Cooccurrences

    def __init__(self, *, dim: int, vocabulary: Vocabulary, x_max: float, alpha: float) -> None:
        super().__init__()
        if not x_max > 0:
            raise Mistake(f"head.x_max={x_max} is not above 0; set head.x_max to a count, 100 in the paper")
        if not alpha >= 0:
            raise Mistake(f"head.alpha={alpha} would let rare pairs weigh more; set head.alpha to 0 or more")
        self.x_max, self.alpha = x_max, alpha

    def check(self, model: WordModel, optimizer: torch.optim.Optimizer) -> None:
        """See WordHead."""
        if not isinstance(model, TwoSided):
            raise Mistake(
                f"head=least_squares needs vectors of contexts, which {type(model).__name__} has not; choose model=glove"
            )
        if not isinstance(optimizer, torch.optim.Adagrad):
            raise Mistake(
                f"head=least_squares is trained by AdaGrad, and not by {type(optimizer).__name__}; choose optimizer=adagrad"
            )
        for group in optimizer.param_groups:
            for name in ("weight_decay", "lr_decay"):
                if group[name]:
                    raise Mistake(
                        f"head=least_squares has no use for optimizer.{name}={group[name]}; set optimizer.{name}=0"
                    )
        if not all(parameter.requires_grad for parameter in parameters(model)):
            raise Mistake("head=least_squares trains all vectors and biases of GloVe; leave model.embedding.freeze out")

    def update(
        self,
        model: WordModel,
        batch: WordWindows | Cooccurrences,
        optimizer: torch.optim.Optimizer,
        rate: float,
        *,
        seed: int,
        threads: int,
    ) -> tuple[float, int]:
        """See WordHead; nothing is drawn at random."""
        if not isinstance(batch, Cooccurrences):
            raise Mistake(
                "head=least_squares learns from counts, and not from running text; choose batch=cooccurrences"
            )
        tables = [parameter.detach() for parameter in parameters(model)]
        sums = [optimizer.state[parameter]["sum"] for parameter in parameters(model)] if rate else tables
        rule = rate, optimizer.param_groups[0]["eps"]
        counts = batch.counts.to(tables[0].device)
        terms = counts.log(), (counts / self.x_max).clamp(max=1) ** self.alpha
        if counts.device.type != "cpu":
            return at_once(
                batch.rows.to(counts.device), batch.columns.to(counts.device), terms, tables, sums, rule
            ), len(counts)
        arrays = [one.numpy() for one in (*tables, *sums)]
        parts = zip(*(torch.tensor_split(one, threads) for one in (batch.rows, batch.columns, *terms)))

        def passed(part: tuple[Tensor, ...]) -> float:
            values: list[Any] = [*(one.numpy() for one in part), *arrays, *map(np.float32, rule)]
            total: float = one_by_one(*values)
            return total

        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(passed, parts)), len(counts)


def parameters(model: Any) -> list[nn.Parameter]:
    """W, W~, b, b~."""
    return [model.embedding.weight, model.context.weight, model.bias, model.context_bias]


# Python's error at a division by zero would forbid vector instructions: hence numpy's model, at 7 times the speed.
@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
@no_type_check
def one_by_one(
    rows: Array,
    columns: Array,
    logs: Array,
    weights: Array,
    words: Array,
    contexts: Array,
    bias: Array,
    context_bias: Array,
    word_sums: Array,
    context_sums: Array,
    bias_sums: Array,
    context_bias_sums: Array,
    rate: float,
    eps: float,
) -> float:
    """The summed loss; with a rate above 0 each pair changes vectors, biases and their sums before the next is looked at."""
    total = 0.0
    for index in range(len(rows)):
        i, j = rows[index], columns[index]
        w, c, w_sums, c_sums = words[i], contexts[j], word_sums[i], context_sums[j]
        difference = bias[i] + context_bias[j] - logs[index]
        for axis in range(len(w)):
            difference += w[axis] * c[axis]
        error = weights[index] * difference
        total += 0.5 * error * difference
        if rate > 0:
            for axis in range(len(w)):
                of_w, of_c = error * c[axis], error * w[axis]
                w_sum, c_sum = w_sums[axis] + of_w * of_w, c_sums[axis] + of_c * of_c
                w_sums[axis], c_sums[axis] = w_sum, c_sum
                w[axis] -= rate * of_w / (np.sqrt(w_sum) + eps)
                c[axis] -= rate * of_c / (np.sqrt(c_sum) + eps)
            bias_sums[i] += error * error
            bias[i] -= rate * error / (np.sqrt(bias_sums[i]) + eps)
            context_bias_sums[j] += error * error
            context_bias[j] -= rate * error / (np.sqrt(context_bias_sums[j]) + eps)
    return total


def at_once(
    rows: Tensor,
    columns: Tensor,
    terms: tuple[Tensor, Tensor],
    tables: list[Tensor],
    sums: list[Tensor],
    rule: tuple[float, float],
) -> float:
    """The summed loss; all pairs see the same values, and one update follows from the sum of their gradients.

    Args:
        terms: logarithms of the counts, and weights.
        rule: rate and epsilon.
    """
    (logs, weights), (rate, eps), (words, contexts, bias, context_bias) = terms, rule, tables
    w, c = words[rows], contexts[columns]
    difference = torch.einsum("pd,pd->p", w, c) + bias[rows] + context_bias[columns] - logs
    error = weights * difference
    if rate:
        gradients = (error[:, None] * c, error[:, None] * w, error, error)
        for table, squares, index, gradient in zip(tables, sums, (rows, columns, rows, columns), gradients):
            whole = torch.zeros_like(table).index_add_(0, index, gradient)
            squares += whole**2
            table -= rate * whole / (squares.sqrt() + eps)
    return 0.5 * float((error * difference).sum(dtype=torch.double))
