"""The words of a training split, counted, kept and read again."""

import numpy as np
import pytest

from lmlab.tokenizer import word_counts
from lmlab.tokenizer.arrays import token_arrays
from lmlab.tokenizer.bpe import Bpe
from lmlab.tokenizer.char import Char
from lmlab.tokenizer.word_counts import COUNTS, read_vocabulary, vocabulary_of, write_vocabulary
from lmlab.types import Mistake, Text, Vocabulary


class Small:
    """A source of a few documents."""

    example = Text

    def fingerprint(self):
        return "small"

    def read(self, split):
        return map(Text, {"train": ["abba\nb", "", "b"], "val": ["ac"], "test": []}[split])


def test_the_training_split_is_counted_without_ends_and_unknowns(tmp_path, monkeypatch):
    monkeypatch.setattr(word_counts, "BLOCK", 2)
    arrays = token_arrays(Small(), Char(vocab_size=4, min_count=1), tmp_path)
    found = vocabulary_of(arrays)
    assert found.words == ("<eos>", "<unk>", "b", "a")
    assert found.counts.tolist() == [0, 0, 4, 2]
    every_byte = vocabulary_of(token_arrays(Small(), Bpe(vocab_size=258, min_count=2), tmp_path))
    assert len(every_byte.words) == len(every_byte.counts) == 257
    assert every_byte.counts.sum() == 7


def test_counts_are_kept_and_made_again_where_they_are_damaged(tmp_path, monkeypatch):
    arrays = token_arrays(Small(), Char(vocab_size=4, min_count=1), tmp_path)
    expected = vocabulary_of(arrays).counts.tolist()
    files = sorted(path.name for path in arrays.path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(np, "bincount", None)
        assert vocabulary_of(arrays).counts.tolist() == expected
    for damage in (b"", b"\x93NUMPY", (arrays.path / COUNTS).read_bytes()[:-3]):
        (arrays.path / COUNTS).write_bytes(damage)
        assert vocabulary_of(arrays).counts.tolist() == expected
    assert sorted(path.name for path in arrays.path.iterdir()) == files
    assert token_arrays(Small(), Char(vocab_size=4, min_count=1), tmp_path).path == arrays.path


def test_words_of_any_spelling_come_back(tmp_path):
    words = ("<eos>", "<unk>", "a\nb", "c\\n", "tab\there", "苹果", "\u2028", " ")
    made = Vocabulary(words, np.arange(len(words)))
    write_vocabulary(tmp_path / "vocabulary.tsv", made)
    found = read_vocabulary(tmp_path / "vocabulary.tsv")
    assert found.words == words
    assert found.counts.tolist() == made.counts.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["vocabulary.tsv"]


def test_a_damaged_file_is_said(tmp_path):
    (tmp_path / "vocabulary.tsv").write_text("a\t1\nb\n")
    with pytest.raises(Mistake, match="is damaged"):
        read_vocabulary(tmp_path / "vocabulary.tsv")
