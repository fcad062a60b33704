"""What running text asks of a word model: which rows predict which word (Mikolov et al. 2013a; Bojanowski et al. 2017)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from lmlab.types import WordModel, WordWindows


class Predictions(NamedTuple):
    """In the order of the text; the mean of the rows `rows[first[i] : first[i + 1]]` predicts word `words[i]`."""

    words: Int[Tensor, "prediction"]
    first: Int[Tensor, "ends"]
    rows: Int[Tensor, "row"]


def predictions(model: WordModel, windows: WordWindows) -> Predictions:
    """All those of a step; a word without a context predicts nothing and is not predicted."""
    words, left = windows.words.long(), windows.left.long()
    sizes = left + windows.right.long()
    middle = torch.arange(len(words), device=words.device).repeat_interleave(sizes)
    offset = _within(sizes)
    near = words[middle - left[middle] + offset + (offset >= left[middle])]
    if model.averages_context:
        rows, lengths = _rows(model, near)
        of_word = torch.zeros_like(words).index_add_(0, middle, lengths)
        asked = sizes > 0
        return Predictions(words[asked], _ends(of_word[asked]), rows)
    source, target = (words[middle], near) if model.predicts_context else (near, words[middle])
    rows, lengths = _rows(model, source)
    return Predictions(target, _ends(lengths), rows)


def _rows(model: WordModel, words: Int[Tensor, "word"]) -> tuple[Int[Tensor, "row"], Int[Tensor, "word"]]:
    """The rows of each word, one after another, and how many they are of each."""
    begin = model.first[words]
    lengths = model.first[words + 1] - begin
    return model.rows[begin.repeat_interleave(lengths) + _within(lengths)].long(), lengths


def _within(lengths: Int[Tensor, "part"]) -> Int[Tensor, "whole"]:
    """0 to length - 1 for each of several parts, one after another."""
    before = lengths.cumsum(0) - lengths
    return torch.arange(int(lengths.sum()), device=lengths.device) - before.repeat_interleave(lengths)


def _ends(lengths: Int[Tensor, "part"]) -> Int[Tensor, "ends"]:
    return torch.cat((lengths.new_zeros(1), lengths.cumsum(0)))
