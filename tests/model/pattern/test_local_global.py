import pytest
import torch

from lmlab.model.pattern.local_global import LocalGlobal
from lmlab.model.pattern.sliding_window import SlidingWindow
from lmlab.types import Mistake


def test_the_last_of_every_three_layers_sees_everything():
    pattern, places = LocalGlobal(window=2, every=3), torch.arange(5)[None]
    assert [pattern.kind(layer) for layer in range(6)] == [0, 0, 1, 0, 0, 1]
    assert pattern.allowed(places, places, 1) is None
    assert torch.equal(pattern.allowed(places, places, 0), SlidingWindow(window=2).allowed(places, places, 0))


def test_one_layer_in_one_is_no_pattern():
    with pytest.raises(Mistake, match=r"model\.pattern\.every=1 leaves no layer a window"):
        LocalGlobal(window=2, every=1)
