"""Images and captions as arrays: normalised by the training split alone, made once, made again where damaged."""

import numpy as np
import pytest

from lmlab.examples import Captioned
from lmlab.tokenizer.char import Char
from lmlab.tokenizer.image_arrays import image_arrays, moments


class Images:
    """Random images; of the test split one that is far brighter."""

    example = Captioned

    def __init__(self, test=1):
        draw = np.random.default_rng(0)
        sizes = {"train": 7, "val": 2, "test": test}
        self.splits = {
            split: [
                Captioned(
                    f"{n}",
                    (f"a {n}", "b"),
                    (draw.integers(100, size=(3, 5, 2)) + 100 * (split == "test")).astype(np.uint8),
                )
                for n in range(size)
            ]
            for split, size in sizes.items()
        }
        self.reads = 0

    def fingerprint(self):
        return f"of {len(self.splits['test'])}"

    def read(self, split):
        self.reads += 1
        return iter(self.splits[split])


def test_pixels_and_captions_come_back_as_they_were(tmp_path):
    source = Images()
    arrays = image_arrays(source, Char(vocab_size=None, min_count=1), tmp_path)
    for split, examples in source.splits.items():
        rows = getattr(arrays, split)
        assert len(rows) == len(rows.captions) == len(examples)
        for row, one in enumerate(examples):
            np.testing.assert_array_equal(rows.pixels[row], one.pixels)
            texts = [arrays.tokenizer.decode(ids.tolist()) for ids in rows.captions.texts_of(row)]
            assert texts[1] == "b"
    assert (arrays.train.pixels.shape, arrays.train.pixels.dtype) == ((7, 3, 5, 2), np.uint8)


def test_images_are_normalised_by_the_training_split(tmp_path):
    arrays = image_arrays(Images(), Char(vocab_size=None, min_count=1), tmp_path)
    whole = arrays.train.images_of(np.arange(7))
    assert whole.dtype == np.float32
    assert whole.reshape(-1, 2).mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert whole.reshape(-1, 2).std(axis=0) == pytest.approx([1, 1], abs=1e-5)
    assert arrays.test.images_of(np.array([0])).mean() > 1


def test_they_are_made_once_and_again_where_damaged(tmp_path):
    first = image_arrays(Images(), Char(vocab_size=None, min_count=1), tmp_path).val.pixels.copy()
    source = Images()
    image_arrays(source, Char(vocab_size=None, min_count=1), tmp_path)
    assert source.reads == 0
    (next((tmp_path / "images").iterdir()) / "val.npy").unlink()
    again = image_arrays(source, Char(vocab_size=None, min_count=1), tmp_path)
    np.testing.assert_array_equal(again.val.pixels, first)


def test_a_split_may_have_no_image(tmp_path):
    assert len(image_arrays(Images(test=0), Char(vocab_size=None, min_count=1), tmp_path).test) == 0


def test_an_even_channel_is_not_blown_up():
    mean, scale = moments(np.full((2, 3, 3, 1), 7, np.uint8))
    assert (mean.tolist(), scale.tolist()) == ([7.0], [1000.0])
