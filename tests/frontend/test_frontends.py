"""What makes vectors of frames: how many, and that padding is as if it were not there."""

import pytest
import torch

from lmlab.frontend.convolutions import Convolutions
from lmlab.frontend.stacking import Stacking
from lmlab.types import Mistake

KINDS = [(Stacking, 1), (Stacking, 3), (Stacking, 4), (Convolutions, 1), (Convolutions, 2), (Convolutions, 4)]


@pytest.mark.parametrize(("kind", "factor"), KINDS)
@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_a_padded_recording_gives_the_vectors_of_one_alone_and_zeros_behind(kind, factor, length):
    torch.manual_seed(0)
    made = kind(num_features=5, dim=6, factor=factor)
    frames = torch.randn(2, 11, 5)
    document = (torch.arange(11) < torch.tensor([[11], [length]])).long()
    both, alone = made(frames, document), made(frames[1:, :length], None)
    number = -(-length // factor)
    assert both.shape == (2, -(-11 // factor), 6)
    assert alone.shape == (1, number, 6)
    torch.testing.assert_close(both[1, :number], alone[0])
    assert both[1, number:].abs().sum() == 0
    assert (document[:, ::factor] > 0).sum(dim=1).tolist() == [-(-11 // factor), number]


def test_stacked_frames_stand_side_by_side_before_a_linear_map():
    made = Stacking(num_features=2, dim=3, factor=2)
    frames = torch.randn(1, 3, 2)
    expected = torch.stack([made.map(frames[0, :2].flatten()), made.map(torch.cat((frames[0, 2], torch.zeros(2))))])
    torch.testing.assert_close(made(frames, None)[0], expected)


@pytest.mark.parametrize(("kind", "factor"), [(Stacking, 0), (Convolutions, 3)])
def test_a_factor_that_cannot_be_made_is_said(kind, factor):
    with pytest.raises(Mistake, match=rf"frontend\.factor={factor} "):
        kind(num_features=5, dim=6, factor=factor)
