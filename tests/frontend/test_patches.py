"""Patches: torch's own unfolding, every pixel once, sizes that divide."""

import pytest
import torch

from lmlab.frontend.patches import Patches, patches
from lmlab.types import Mistake


def test_patches_are_those_of_torchs_unfold():
    images = torch.randn(2, 6, 4, 3)
    found = patches(images, 2)
    unfolded = torch.nn.functional.unfold(images.permute(0, 3, 1, 2), 2, stride=2)  # [batch, channels * 4, patches]
    expected = unfolded.reshape(2, 3, 4, 6).permute(0, 3, 2, 1).reshape(2, 6, 12)
    assert torch.equal(found, expected)


def test_a_patch_is_seen_by_its_own_vector_alone_and_has_its_place():
    module = Patches(shape=(6, 4, 1), dim=8, size=2, places=True)
    images = torch.zeros(1, 6, 4, 1)
    assert module.num_patches == 6
    assert len({tuple(row) for row in module(images)[0].tolist()}) == 6
    changed = images.clone()
    changed[0, 3, 2] = 1
    assert ((module(images) - module(changed)).abs().sum(dim=-1) > 0).nonzero().tolist() == [[0, 3]]
    assert Patches(shape=(6, 4, 1), dim=8, size=2, places=False).place is None


def test_a_size_that_does_not_divide_the_image_is_refused_with_those_that_do():
    with pytest.raises(
        Mistake, match=r"frontend\.size=3 does not divide images of 8 x 8 pixels; set it to one of 1, 2, 4, 8"
    ):
        Patches(shape=(8, 8, 1), dim=4, size=3, places=True)
