"""Image files of all kinds as pixels; what is wrong with some."""

import numpy as np
import pytest
from PIL import Image

from lmlab.data.found import Fault
from lmlab.data.picture import read_picture


def test_an_image_of_the_size_is_read_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 5, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", size=5, channels=3), pixels)
    grey = read_picture(tmp_path / "a.png", size=5, channels=1)
    np.testing.assert_array_equal(grey[..., 0], np.asarray(Image.fromarray(pixels).convert("L")))


def test_of_an_image_that_is_no_square_the_middle_is_taken(tmp_path):
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, 2:6] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png", size=4, channels=1) == 200).all()


@pytest.mark.parametrize(
    ("image", "level"),
    [
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 255),
        (Image.new("LA", (4, 4), (90, 255)), 90),
        (Image.new("P", (4, 4), 0), 0),
        (Image.new("1", (4, 4), 1), 255),
        (Image.fromarray(np.full((4, 4), 257 * 90, np.uint16)), 90),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 255)), 0),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_every_mode_becomes_levels_of_eight_bits(tmp_path, image, level):
    path = tmp_path / ("a.tiff" if image.mode == "CMYK" else "a.png")
    image.save(path)
    for channels in (1, 3):
        found = read_picture(path, size=4, channels=channels)
        assert (found.shape, found.dtype) == ((4, 4, channels), np.uint8)
        assert abs(int(found[0, 0, 0]) - level) <= 1


def test_an_image_that_a_camera_turned_stands_upright(tmp_path):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 255
    tags = Image.Exif()
    tags[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=tags)
    found = read_picture(tmp_path / "a.png", size=8, channels=1)
    assert (found[4:] == 255).all()


def test_what_cannot_be_read_is_said(tmp_path):
    whole = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8)).save(whole)
    contents = {"cut": whole.read_bytes()[:300], "empty": b"", "text": b"no image at all"}
    said = {"cut": "is damaged", "empty": "is empty", "text": "is no image that can be read", "gone": "does not exist"}
    for name, content in contents.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    for name, words in said.items():
        with pytest.raises(Fault, match=words):
            read_picture(tmp_path / f"{name}.png", size=4, channels=1)
