"""Every encoder reads images behind patches, or says that it reads no features."""

from functools import partial

import pytest
import torch

from lmlab.frontend.patches import Patches
from lmlab.model.viewer import Viewer
from lmlab.types import Mistake


def test_every_encoder_sees_the_patches_and_all_but_its_embedding_learns(encoder, build):
    made = build(encoder, causal=False)
    viewer = Viewer(frontend=partial(Patches, size=2, places=True), encoder=made, shape=(6, 4, 3)).train(False)
    images = torch.randn(2, 6, 4, 3)
    if getattr(made, "ngrams", 1) > 1:
        with pytest.raises(Mistake, match="features have no n-grams"):
            viewer(images)
        return
    output = viewer(images)
    assert output.states.shape == (2, 6, viewer.dim)
    assert torch.allclose(viewer(images[1:]).states, output.states[1:], atol=1e-5)
    (output.states * torch.randn_like(output.states)).sum().backward()
    assert not viewer.embedding.weight.requires_grad
    assert viewer.frontend.map.weight.grad.abs().sum() > 0
