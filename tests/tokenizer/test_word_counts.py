"""The words of a training split, counted, kept and read again."""

import numpy as np
import pytest

from lmlab.tokenizer.word_counts import read_vocabulary, write_vocabulary
from lmlab.types import Mistake, Vocabulary


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
