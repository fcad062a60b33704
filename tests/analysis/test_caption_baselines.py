"""What needs no model: the nearest training image, the most frequent caption, chance."""

import numpy as np
import pytest

from lmlab.analysis.caption_baselines import FREQUENT, NEAREST, retrieval_baselines, writing_baselines
from lmlab.examples import Captioned


def images(levels):
    return [Captioned(f"{level}", texts, np.full((2, 2, 1), level, np.uint8)) for level, texts in levels]


TRAIN = images([(10, ("dark", "black")), (200, ("light",)), (90, ("grey",)), (210, ("light",))])
HELD_OUT = images([(20, ("dark", "black")), (215, ("light",)), (110, ("light",))])


def test_the_nearest_training_image_lends_its_captions():
    found = retrieval_baselines(TRAIN, HELD_OUT)
    assert found[NEAREST]["image_to_text_recall@1"] == 1  # "grey" is no caption that is held out
    assert found["chance"]["image_to_text_recall@1"] == pytest.approx((2 / 3 + 1 / 3 + 1 / 3) / 3)
    assert found["chance"]["image_to_text_recall@10"] == 1
    written = writing_baselines(TRAIN, HELD_OUT)
    assert written == {FREQUENT: ["light"] * 3, NEAREST: ["dark", "light", "grey"]}
