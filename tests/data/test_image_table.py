"""Images in a table of one's own; what is wrong with some of them."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lmlab.data.image_table import ImageTable
from lmlab.types import SPLITS, Mistake


def made(path, **values):
    given = {
        "val_path": None, "test_path": None, "split": {"val": 0.2, "test": 0.2}, "image": "image", "text": "text",
        "folder": None, "suffix": "", "format": "auto", "separator": None, "header": True, "encoding": "utf-8",
        "size": 4, "colour": False, "on_error": "strict", "cache_dir": None,
    }  # fmt: skip
    return ImageTable(path=str(path), **given | values)


def save(path, number):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((4, 4), 5 * number, np.uint8)).save(path)


@pytest.fixture
def table(tmp_path):
    """Forty images in a folder beside their table, the first five with a second caption."""
    lines = ["image\ttext"]
    for number in range(40):
        save(tmp_path / "images" / f"{number}.png", number)
        lines.append(f"images/{number}.png\tgrey {number}")
    lines += [f"images/{number}.png\tlevel {number}" for number in range(5)]
    path = tmp_path / "list.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rows_of_one_image_are_its_captions_and_every_image_is_in_one_split(table):
    found = {split: list(made(table).read(split)) for split in SPLITS}
    examples = {one.name: one for part in found.values() for one in part}
    assert all(found.values())
    assert len(examples) == sum(map(len, found.values())) == 40
    assert examples["3.png"].texts == ("grey 3", "level 3")
    assert (examples["3.png"].pixels == 15).all()
    assert examples["3.png"].pixels.shape == (4, 4, 1)


def test_one_image_under_two_names_stays_in_one_split(table):
    for number in range(40):
        save(table.parent / "images" / f"copy{number}.png", number)
    with table.open("a") as file:
        file.writelines(f"images/copy{number}.png\tgrey\n" for number in range(40))
    hashes = [{one.inputs for one in made(table).read(split)} for split in SPLITS]
    assert not hashes[0] & hashes[1]
    assert not hashes[0] & hashes[2]


def test_the_folder_the_suffix_and_the_number_of_a_caption_make_a_files_name(table):
    names = table.parent / "names.csv"
    names.write_text("".join(f"{number}#{part},grey {number} {part}\n" for number in range(40) for part in range(2)))
    source = made(names, header=False, image=0, text=1, folder="images", suffix=".png", colour=True)
    examples = [one for split in SPLITS for one in source.read(split)]
    assert len(examples) == 40
    assert all(len(one.texts) == 2 for one in examples)
    assert examples[0].pixels.shape == (4, 4, 3)


def test_a_file_of_its_own_is_a_split_of_its_own(table):
    paths = {}
    for part, numbers in (("val_path", range(40, 44)), ("test_path", range(44, 47))):
        for number in numbers:
            save(table.parent / "images" / f"{number}.png", number)
        rows = "".join(f"images/{number}.png\tgrey {number}\n" for number in numbers)
        (table.parent / f"{part}.tsv").write_text("image\ttext\n" + rows)
        paths[part] = str(table.parent / f"{part}.tsv")
    source = made(table, **paths)
    assert [len(list(source.read(split))) for split in SPLITS] == [40, 4, 3]
    whole = made(table.parent, **paths)  # those of validation and test lie in the folder of training, too
    assert [len(list(whole.read(split))) for split in SPLITS] == [40, 4, 3]


def test_a_table_that_stands_for_two_splits_is_refused(table):
    with pytest.raises(Mistake, match="has no files but those of validation and test"):
        made(table, val_path=str(table))


def test_the_fingerprint_follows_content(table):
    first = made(table).fingerprint()
    assert made(table).fingerprint() == first != made(table, size=5).fingerprint()
    save(table.parent / "images/7.png", 50)
    assert made(table).fingerprint() != first


def broken(table, kind):
    place = table.parent / "images/3.png"
    if kind == "missing":
        place.unlink()
    elif kind == "wordless":
        table.write_text(table.read_text().replace("\tgrey 3\n", "\t\n"))
    else:
        content = place.read_bytes()
        place.write_bytes({"empty": b"", "cut": content[:-25], "text": b"not an image"}[kind])


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "does not exist"),
        ("empty", "is empty"),
        ("cut", "is damaged"),
        ("text", "is no image that can be read"),
        ("wordless", "has an empty caption"),
    ],
)
def test_a_faulty_image_is_named_or_left_out_and_told(table, kind, said, caplog):
    broken(table, kind)
    with pytest.raises(Mistake, match=rf"3\.png \(list\.tsv, line 5\) {said}.*data\.on_error=skip"):
        list(made(table).read("train"))
    with caplog.at_level(logging.WARNING):
        kept = [one.name for split in SPLITS for one in made(table, on_error="skip").read(split)]
    assert len(kept) == 39
    assert f"1 image was left out: 3.png (list.tsv, line 5) {said}" in caplog.text


def test_a_row_of_too_many_columns_is_named_or_left_out(table, caplog):
    table.write_text(table.read_text().replace("grey 7\n", "grey 7\tmore\n"))
    with pytest.raises(Mistake, match=r"list\.tsv, line 9 has 3 columns in place of 2"):
        made(table)
    with caplog.at_level(logging.WARNING):
        made(table, on_error="skip")
    assert "1 row was left out: line 9 has 3 columns" in caplog.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"image": "images/7.png", "text": None}, r"7\.png \(list\.jsonl, line 2\) has an empty caption"),
        ({"image": "images/7.png", "text": 7}, r"line 2 has for text what is no text: 7"),
        ({"image": None, "text": "seven"}, "line 2 names no image"),
        ({"image": "images/7.png", "text": "se\0ven"}, "line 2 holds a NUL byte"),
    ],
)
def test_what_is_no_text_is_named_or_left_out_and_told(table, line, said, caplog):
    rows = [{"image": f"images/{number}.png", "text": f"grey {number}"} for number in range(40) if number != 7]
    path = table.parent / "list.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [rows[0], line, *rows[1:]]))
    with pytest.raises(Mistake, match=said):
        list(made(path).read("train"))
    with caplog.at_level(logging.WARNING):
        source = made(path, on_error="skip")
        assert sum(len(list(source.read(split))) for split in SPLITS) == 39
    assert " was left out: " in caplog.text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image": "picture"}, r"data\.image=picture is no column of .*; set data\.image to one of image, text"),
        ({"text": "image"}, r"data\.image=image is the column of data\.text as well"),
        ({"size": 0}, r"data\.size=0 leaves nothing"),
        ({"split": {"val": 0.0, "test": 0.1}}, r"leaves no image for validation"),
        ({"on_error": "ignore"}, r"data\.on_error=ignore"),
    ],
)
def test_what_cannot_be_meant_is_refused(table, values, said):
    with pytest.raises(Mistake, match=said):
        made(table, **values)


def test_no_path_is_said():
    with pytest.raises(Mistake, match=r"needs data\.path"):
        made("")


@pytest.mark.real_data
def test_cifars_first_images_are_read():
    folder = Path(os.environ.get("LMLAB_DATA", "/nowhere")) / "vision/cifar10_tiny"
    if not folder.is_dir():
        pytest.skip("LMLAB_DATA has no vision/cifar10_tiny")
    values = {"image": "id", "text": "label", "folder": "train", "suffix": ".png", "size": 32, "colour": True}
    source = made(folder / "trainLabels.csv", **values, on_error="strict")
    examples = [one for split in SPLITS for one in source.read(split)]
    assert len(examples) == 100
    assert len({text for one in examples for text in one.texts}) == 10
    assert {one.pixels.shape for one in examples} == {(32, 32, 3)}
