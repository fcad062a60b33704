"""Transcripts from probabilities at every state: the best path, and the best sum over paths."""

from collections import defaultdict
from itertools import groupby, product

import pytest
import torch

from lmlab.decoding.ctc_beam import CtcBeam
from lmlab.decoding.ctc_greedy import CtcGreedy
from lmlab.types import Mistake

BLANK = 2


def collapsed(path):
    return tuple(symbol for symbol, _ in groupby(path) if symbol != BLANK)


def test_repeats_are_one_and_blanks_none_and_padding_is_not_read():
    paths = [[0, 0, 2, 0, 1], [2, 2, 2, 2, 2], [1, 1, 0, 0, 0]]
    scores = (9.0 * torch.nn.functional.one_hot(torch.tensor(paths), 3)).log_softmax(dim=-1)
    assert CtcGreedy()(scores, torch.tensor([5, 5, 2])) == [[0, 0, 1], [], [1]]
    assert CtcBeam(width=1, floor=-20.0)(scores, torch.tensor([5, 5, 2])) == [[0, 0, 1], [], [1]]


@pytest.mark.parametrize("seed", range(12))
def test_a_wide_beam_finds_the_most_probable_transcript_of_all(seed):
    scores = (2 * torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(seed))).log_softmax(dim=-1)
    totals = defaultdict(float)
    for path in product(range(3), repeat=5):
        totals[collapsed(path)] += float(scores[0, range(5), path].sum().exp())
    expected = max(totals, key=totals.get)
    assert CtcBeam(width=500, floor=-100.0)(scores, torch.tensor([5])) == [list(expected)]


def test_it_may_differ_from_the_best_path():
    scores = torch.tensor([[[0.4, 0.0001, 0.5999], [0.4, 0.0001, 0.5999]]]).log()
    assert CtcGreedy()(scores, torch.tensor([2])) == [[]]
    assert CtcBeam(width=8, floor=-20.0)(scores, torch.tensor([2])) == [[0]]


def test_a_beam_of_nothing_is_refused():
    with pytest.raises(Mistake, match=r"decoding\.width=0 keeps no prefix"):
        CtcBeam(width=0, floor=-10.0)
