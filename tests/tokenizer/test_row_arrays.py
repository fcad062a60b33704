"""Rows of examples: texts and labels as they were, labels of the training split alone, made once."""

import pytest

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
