"""Handwritten digits: the same everywhere, no image in two splits, captions that are true of the pixels."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lmlab.data.digits import Digits, captions, leaning, slant, weight
from lmlab.types import SPLITS, Mistake

VALUES = {"details": True, "split": {"val": 0.1, "test": 0.1}}


@pytest.fixture(scope="module")
def found():
    return {split: list(Digits(**VALUES).read(split)) for split in SPLITS}


def test_every_image_is_in_one_split_and_again_in_the_same(found):
    keys = [one.inputs for examples in found.values() for one in examples]
    assert len(keys) == len({*keys}) == 1797
    assert {split: len(examples) for split, examples in found.items()} == {"train": 1429, "val": 182, "test": 186}
    again = {split: list(Digits(**VALUES).read(split)) for split in SPLITS}
    assert [one.name for one in again["val"]] == [one.name for one in found["val"]]


def test_pixels_and_digits_are_those_of_scikit_learn(found):
    data = load_digits()
    for one in found["test"][:20]:
        number = int(one.name.split()[-1])
        np.testing.assert_array_equal(np.round(one.pixels[..., 0] / 255 * 16), data.images[number])
        assert one.texts == captions(data.images[number], int(data.target[number]), details=True)
        assert len({*one.texts}) == len(one.texts) == 6


def test_a_caption_says_what_can_be_measured():
    image = np.zeros((8, 8))
    for row in range(8):
        image[row, 7 - row] = 16
    assert slant(image) == pytest.approx(1)
    assert leaning(image) == "leaning right"
    assert leaning(image[:, ::-1]) == "leaning left"
    image[:, :] = 8
    assert (weight(image), leaning(image)) == ("bold", "upright")
    assert weight(image / 4) == "thin"
    assert captions(image, 7, details=True)[0] == "a bold seven upright"
    assert captions(image, 7, details=False)[:3] == ("a seven", "a handwritten seven", "the digit 7")


def test_every_value_is_in_the_fingerprint():
    values = [VALUES, VALUES | {"details": False}, VALUES | {"split": {"val": 0.2, "test": 0.1}}]
    assert len({Digits(**one).fingerprint() for one in values}) == 3
    assert Digits(**VALUES).fingerprint() == Digits(**VALUES).fingerprint()


def test_a_split_without_validation_is_refused():
    with pytest.raises(Mistake, match=r"data\.split=\{'test': 0\.1\} leaves no image for validation"):
        Digits(details=True, split={"test": 0.1})
