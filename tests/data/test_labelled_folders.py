"""Texts in a folder for each label: what is read, what is left out, and what is said where it cannot be read."""

import gzip
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmlab import config, values
from lmlab.data.labelled_folders import LabelledFolders
from lmlab.examples import Labelled
from lmlab.types import SPLITS, Mistake, Source

CONF = Path(__file__).parents[2] / "conf/data/labelled_folders.yaml"
DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))


def source_of(root: Path, **changes: Any) -> LabelledFolders:
    """As the YAML says, but for the changes."""
    given = {key: value for key, value in yaml.safe_load(CONF.read_text()).items() if key != "_target_"}
    return LabelledFolders(**given | {"cache_dir": None, "root": str(root)} | changes)


def read_all(source: LabelledFolders) -> list[list[Labelled]]:
    return [list(source.read(split)) for split in SPLITS]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Forty training and six test reviews of two labels, and some without a label."""
    for split, number in (("train", 40), ("test", 6)):
        for index in range(number):
            path = tmp_path / split / ("neg", "pos")[index % 2] / f"{index}_7.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{split} é{index}<br />line\n", encoding="utf-8")
    (tmp_path / "train/unsup").mkdir()
    for index in range(9):
        (tmp_path / f"train/unsup/{index}_0.txt").write_text(f"nobody knows {index}")
    (tmp_path / "train/readme.txt").write_text("not an example")
    return tmp_path


def test_every_file_is_an_example_of_its_folders_label(reviews: Path) -> None:
    source = source_of(reviews, labels=["pos", "neg"])
    assert isinstance(source, Source)
    assert source.example is Labelled
    train, val, test = read_all(source)
    assert Counter(one.labels for one in train + val) == {("neg",): 20, ("pos",): 20}
    assert val
    assert [one.texts[0] for one in test][:2] == ["test é0<br />line\n", "test é2<br />line\n"]
    assert read_all(source) == [train, val, test]


def test_all_folders_are_labels_unless_some_are_named(reviews: Path) -> None:
    train, val, _ = read_all(source_of(reviews))
    assert ("unsup",) in {one.labels for one in train + val}
    with pytest.raises(Mistake, match=r"no such folder \(but pos\); set data\.labels to some of neg, pos, unsup"):
        source_of(reviews, labels=["neg", "poss"])


def test_what_stands_for_something_else_is_replaced_and_compressed_files_are_read(reviews: Path) -> None:
    (reviews / "test/neg/0_7.txt").unlink()
    (reviews / "test/neg/0_7.txt.gz").write_bytes(gzip.compress(b"packed<br />text"))
    source = source_of(reviews, labels=["neg", "pos"], replace=[["<br />", "\n"]])
    assert next(source.read("test")).texts == ("packed\ntext",)


def test_the_fingerprint_follows_labels_and_content_and_not_the_place(reviews: Path, tmp_path: Path) -> None:
    first = source_of(reviews, labels=["neg", "pos"]).fingerprint()
    assert source_of(tmp_path, labels=["pos", "neg"]).fingerprint() == first
    assert source_of(reviews).fingerprint() != first
    assert source_of(reviews, labels=["neg", "pos"], split={"val": 0.2}).fingerprint() != first
    (reviews / "train/neg/0_7.txt").rename(reviews / "train/pos/0_7.txt")
    assert source_of(reviews, labels=["neg", "pos"]).fingerprint() != first


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b" \n", "is empty"), (b"nine letters\0", "holds a NUL byte"), ("é".encode("latin-1"), "is not utf-8")],
)
def test_a_faulty_file_is_named_or_left_out(
    reviews: Path, content: bytes, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    (reviews / "test/pos/1_7.txt").write_bytes(content)
    with pytest.raises(Mistake, match=rf"1_7\.txt.* {expected}.*data\.on_error=skip"):
        read_all(source_of(reviews))
    test = read_all(source_of(reviews, on_error="skip"))[2]
    assert len(test) == 5
    assert f"1 example was left out of {reviews}/test/pos: 1_7.txt {expected}" in caplog.text


def test_folders_that_are_not_there_or_empty_are_named(reviews: Path) -> None:
    with pytest.raises(Mistake, match=r"this data set needs train, test, not found in .*data\.root or LMLAB_DATA"):
        source_of(reviews / "train")
    (reviews / "train/none").mkdir()
    with pytest.raises(Mistake, match=r"train/none has no \.txt files; set data\.labels"):
        read_all(source_of(reviews))
    with pytest.raises(Mistake, match="has no folders, and each label has one"):
        source_of(reviews, parts={"train": ["train/pos"]})


def test_one_label_alone_and_a_strange_one_in_test_are_refused(reviews: Path) -> None:
    with pytest.raises(Mistake, match="every training example has the label pos"):
        read_all(source_of(reviews, labels=["pos"]))
    (reviews / "train/unsup").rename(reviews / "train/so_so")
    (reviews / "test/neutral").mkdir()
    (reviews / "test/neutral/9.txt").write_text("so so")
    with pytest.raises(Mistake, match=r"neutral, 9\.txt has the label neutral, which no training example has"):
        read_all(source_of(reviews))


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="needs LMLAB_DATA")
def test_imdb_has_as_many_reviews_of_each_label() -> None:
    composed = config.compose(["data=imdb", f"data.root={DATA}"])
    values.check(composed)
    train, val, test = read_all(config.build(composed, "data"))
    for part in (train + val, test):
        assert Counter(one.labels for one in part) == {("neg",): 1250, ("pos",): 1250}
    assert not {one.texts for one in val} & {one.texts for one in train}
    assert not [one for one in train + test if "<br" in one.texts[0]]
