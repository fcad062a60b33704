"""The update of logistic.py for groups of positions at once, by torch alone: for accelerators.

All positions of a group are computed with the values from before it, and what they change is summed: a group of one is what
the compiled loop does. Random words are the same as there. It was tried on CPUs only.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lmlab.head.logistic_kernel import Targets, jit, question, reach, workspace
from lmlab.types import WordModel, WordWindows

GROUP = 512
"""Positions. The more, the faster; but what a frequent word changes by adds up, and too much at once throws it too far."""


def update(
    model: WordModel,
    batch: WordWindows,
    output: Tensor,
    targets: Targets,
    rate: float,
    *,
    seed: int,
    group: int = GROUP,
) -> tuple[float, int]:
    """One pass over the positions of a step -> its summed loss and how many words were predicted."""
    table, device = model.embedding.weight.detach(), model.embedding.weight.device
    tables = (model.first.cpu().numpy(), model.rows.cpu().numpy())
    windows = (batch.words.cpu().numpy(), batch.left.cpu().numpy(), batch.right.cpu().numpy())
    kinds = (model.averages_context, model.predicts_context)
    begin, rows, slots, shares, asked, signs = listed(*windows, *tables, targets, *kinds, np.uint64(seed))
    width = 1 if any(kinds) else int(slots.max(initial=0)) + 1
    on = {
        "rows": torch.from_numpy(rows).to(device),
        "slots": torch.from_numpy(slots).to(device),
        "shares": torch.from_numpy(shares).to(device),
        "asked": torch.from_numpy(asked).to(device),
        "signs": torch.from_numpy(signs).to(device),
    }
    place = torch.from_numpy(np.repeat(np.arange(len(asked)), np.diff(begin))).to(device)
    loss = torch.zeros((), dtype=torch.float64, device=device)
    terms = torch.zeros((), dtype=torch.int64, device=device)
    for start in range(0, len(asked), group):
        stop = min(start + group, len(asked))
        part = slice(int(begin[start]), int(begin[stop]))
        slot = (place[part] - start) * width + on["slots"][part]
        lost, count = _step(
            table, output.detach(), on["rows"][part], slot, on["shares"][part, None],
            on["asked"][start:stop], on["signs"][start:stop], width, rate,
        )  # fmt: skip
        loss += lost
        terms += count * (1 if not model.predicts_context else 0)
    return float(loss), int(terms) if not model.predicts_context else int((batch.left.int() + batch.right.int()).sum())


def _step(
    table: Tensor,
    output: Tensor,
    rows: Tensor,
    slot: Tensor,
    share: Tensor,
    asked: Tensor,
    signs: Tensor,
    width: int,
    rate: float,
) -> tuple[Tensor, Tensor]:
    """One group -> its loss and how many hidden vectors it has."""
    hidden = table.new_zeros(len(asked) * width, table.shape[1]).index_add_(0, slot, table[rows] * share)
    is_there = torch.zeros(len(hidden), dtype=torch.bool, device=table.device).index_fill_(0, slot, True)
    hidden, is_real = hidden.view(len(asked), width, -1), is_there.view(len(asked), width, 1) & (signs != 0)[:, None]
    answers = output[asked] * signs[:, :, None]
    scores = hidden @ answers.mT  # [position, hidden, target]
    loss = F.softplus(-scores)[is_real].sum(dtype=torch.float64)
    if rate:
        weights = rate * torch.sigmoid(-scores) * is_real
        table.index_add_(0, rows, (weights @ answers).view(-1, table.shape[1])[slot])
        change = (weights.mT @ hidden) * signs[:, :, None]
        output.index_add_(0, asked.flatten(), change.view(-1, table.shape[1]))
    return loss, is_there.sum()


@jit
@no_type_check
def listed(words, left, right, first, rows, targets, averages, predicts, seed):
    """Which rows make the hidden vectors of each position, and what is asked of these.

    Returns:
        the place in the three lists behind it where each position begins; row, number of the hidden vector within its
        position, and share in its mean; rows asked [position, target] and their signs, 0 where there is none.
    """
    most = reach(left, right, 0, len(words))
    work = workspace(most, 1, targets, predicts)
    size = len(work.asked)
    begin = np.zeros(len(words) + 1, np.int64)
    for i in range(len(words)):
        begin[i + 1] = begin[i] + _rows_at(words, i, left, right, first, predicts)
    row, slot = np.zeros(begin[-1], np.int64), np.zeros(begin[-1], np.int64)
    share = np.zeros(begin[-1], np.float32)
    asked, signs = np.zeros((len(words), size), np.int64), np.zeros((len(words), size), np.float32)
    for i in range(len(words)):
        low, high, at, num = i - left[i], i + right[i] + 1, begin[i], 0
        if high - low == 1:
            continue
        for place in range(low, high):
            if (place == i) == predicts:
                stop = at + first[words[place] + 1] - first[words[place]]
                row[at:stop] = rows[first[words[place]] : first[words[place] + 1]]
                slot[at:stop] = num
                share[at:stop] = 1 / (begin[i + 1] - begin[i] if averages else stop - at)
                at, num = stop, num + (0 if averages else 1)
        count = question(words, i, low, high, targets, predicts, seed, work)
        asked[i, :count], signs[i, :count] = work.asked[:count], work.signs[:count]
    return begin, row, slot, share, asked, signs


@jit
@no_type_check
def _rows_at(words, i, left, right, first, predicts):
    """How many rows the hidden vectors of position i are made of."""
    num = 0
    if left[i] + right[i] > 0:
        for place in range(i - left[i], i + right[i] + 1):
            if (place == i) == predicts:
                num += first[words[place] + 1] - first[words[place]]
    return num
