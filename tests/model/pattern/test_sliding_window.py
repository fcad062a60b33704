import pytest
import torch

from lmlab.model.pattern.sliding_window import SlidingWindow
from lmlab.types import Mistake


def test_a_window_of_two_is_a_place_and_its_neighbours():
    allowed = SlidingWindow(window=2).allowed(torch.tensor([[2, 3]]), torch.arange(5)[None], 0)
    assert allowed[0].int().tolist() == [[0, 1, 1, 1, 0], [0, 0, 1, 1, 1]]


def test_a_window_of_nothing_is_refused():
    with pytest.raises(Mistake, match=r"model\.pattern\.window=0"):
        SlidingWindow(window=0)
