"""Docstrings by package: labels that are frequent in training, each docstring in one split."""

import pytest

from lmlab.data.packages import Packages
from lmlab.types import SPLITS, Mistake, Source

SPLIT = {"val": 0.1, "test": 0.1}


def test_every_docstring_has_one_of_the_labels_and_stands_in_one_split(tmp_path):
    made = Packages(num_labels=5, split=SPLIT, cache_dir=str(tmp_path))
    assert isinstance(made, Source)
    found = {split: [*made.read(split)] for split in SPLITS}
    texts = [one.texts[0] for examples in found.values() for one in examples]
    assert len(texts) == len(set(texts)) > 500
    assert len({one.labels for one in found["train"]}) == 5
    assert {one.labels for one in found["test"]} <= {one.labels for one in found["train"]}


def test_labels_are_in_the_fingerprint_and_one_is_too_few(tmp_path):
    few, more = (Packages(num_labels=number, split=SPLIT, cache_dir=str(tmp_path)) for number in (3, 4))
    assert few.fingerprint() != more.fingerprint()
    with pytest.raises(Mistake, match=r"data\.num_labels=1"):
        Packages(num_labels=1, split=SPLIT, cache_dir=None)
