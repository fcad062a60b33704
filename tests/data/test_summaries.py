"""Docstrings and their summaries: one sentence each, which the source does not begin with."""

import pytest

from lmlab.data.stdlib import Document
from lmlab.data.summaries import Summaries, summarized
from lmlab.types import SPLITS, Mistake, Source

KEYS = {"source_size": [80, 2000], "target_size": [20, 120], "split": {"val": 0.1, "test": 0.1}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Add a number.\n\nIt is added\nat the end.\n", ("It is added\nat the end.", "Add a number.")),
        ("Add a number\nto others.\n\nBody.", ("Body.", "Add a number to others.")),
        ("Add a number\n\nBody.\n\nMore.", ("Body.\n\nMore.", "Add a number")),
        ("Add a number to\nothers\n\nBody.", None),
        ("Add. Then add again.\n\nBody.", None),
        ("add(a, b) -> int\n\nBody.", None),
        ("socket.add(a)\n\nBody.", None),
        (">>> add(1, 2)\n\nBody.", None),
        ("Options are:\n\nBody.", None),
        ("operator.add\n\nBody.", None),
        ("Add a number.", None),
        ("Add a number.\nIt is added.", None),
    ],
)
def test_a_summary_is_one_sentence_above_a_body(text, expected):
    assert summarized(Document("a.b", "a", "function", text)) == expected
    assert summarized(Document("a.b", "a", "topic", text)) is None


def test_every_split_has_summaries_within_the_limits(tmp_path):
    made = Summaries(**KEYS, cache_dir=str(tmp_path))
    assert isinstance(made, Source)
    found = {split: [*made.read(split)] for split in SPLITS}
    sources = [one.source for own in found.values() for one in own]
    assert len(sources) == len(set(sources))
    assert len(found["train"]) > 1000
    assert len(found["val"]) > 80
    assert len(found["test"]) > 80
    for one in (one for own in found.values() for one in own):
        assert 80 <= len(one.source) <= 2000
        assert 20 <= len(one.targets[0]) <= 120
        assert "\n" not in one.targets[0]
        assert len(one.targets) == 1
    wider = Summaries(**KEYS | {"target_size": [1, 500]}, cache_dir=str(tmp_path))
    assert len([*wider.read("train")]) > len(found["train"])
    assert wider.fingerprint() != made.fingerprint()


@pytest.mark.parametrize("size", [[5], [0, 3], [9, 3]])
def test_a_size_that_is_no_range_is_refused(size):
    with pytest.raises(Mistake, match=r"data\.target_size=\[.*\] is no range"):
        Summaries(**KEYS | {"target_size": size}, cache_dir=None)


def test_limits_that_leave_nothing_are_refused(tmp_path):
    made = Summaries(**KEYS | {"source_size": [100_000, 100_001]}, cache_dir=str(tmp_path))
    with pytest.raises(Mistake, match=r"leave no docstring for train; set them"):
        next(made.read("train"))
