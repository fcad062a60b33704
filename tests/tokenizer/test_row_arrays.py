"""Rows of examples: texts and labels as they were, labels of the training split alone, made once."""

import logging

import pytest

from lmlab import told
from lmlab.examples import Labelled
from lmlab.tokenizer.char import Char
from lmlab.tokenizer.row_arrays import row_arrays
from lmlab.types import SPLITS, Mistake

CHAR = Char(vocab_size=None, min_count=1)


class Small:
    """A source of a few examples."""

    example = Labelled

    def __init__(self, test=()):
        self.examples = {
            "train": [Labelled(("ab", "b"), ("no",)), Labelled(("", "ba"), ("yes", "maybe")), Labelled(("a",), ())],
            "val": [Labelled(("bb",), ("maybe",))],
            "test": list(test),
        }
        self.was_read = 0

    def fingerprint(self):
        return f"small {self.examples['test']}"

    def read(self, split):
        self.was_read += 1
        return iter(self.examples[split])


def test_rows_hold_the_texts_and_labels_of_each_example(tmp_path):
    source = Small()
    made = row_arrays(source, CHAR, tmp_path)
    assert made.labels == ("maybe", "no", "yes")
    for split in SPLITS:
        rows = getattr(made, split)
        assert len(rows) == len(source.examples[split])
        for row, example in enumerate(source.examples[split]):
            assert tuple(made.tokenizer.decode(ids.tolist()) for ids in rows.texts_of(row)) == example.texts
            assert tuple(made.labels[number] for number in rows.labels_of(row)) == example.labels
    assert made.train.lengths().tolist() == [3, 2, 1]
    assert made.train.counts().tolist() == [2, 2, 1]
    assert made.meta["splits"]["train"]["documents"] == 3


def test_they_are_made_once_and_again_where_a_file_is_damaged(tmp_path):
    path = row_arrays(Small(), CHAR, tmp_path).path
    again = Small()
    assert row_arrays(again, CHAR, tmp_path).path == path
    assert again.was_read == 0
    (path / "train_ids.npy").write_bytes(b"")
    assert row_arrays(again, CHAR, tmp_path).train.lengths().tolist() == [3, 2, 1]
    assert again.was_read > 0


def test_a_label_that_training_does_not_have_is_said(tmp_path):
    with pytest.raises(Mistake, match="the test split has the label 'other', which the training split does not have"):
        row_arrays(Small([Labelled(("a",), ("other",))]), CHAR, tmp_path)


class Faulty(Small):
    """Says that something is left out, once for each of it that reads."""

    def read(self, split):
        if not self.was_read:
            logging.getLogger("lmlab.data.left_out").warning("1 example was left out of here")
        return super().read(split)


def test_what_was_left_out_is_said_again_where_the_rows_are_in_the_cache_and_not_twice(tmp_path, caplog):
    for _ in range(3):
        caplog.clear()
        source = Faulty()
        row_arrays(source, CHAR, tmp_path)
        list(source.read("val"))
        assert [one.getMessage() for one in caplog.records] == ["1 example was left out of here"]
        told.ONCE.told.clear()
    row_arrays(Small(test=[Labelled(("a",), ("no",))]), CHAR, tmp_path)
    assert [one.getMessage() for one in caplog.records] == ["1 example was left out of here"]
