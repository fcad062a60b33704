"""Pairs of words are read from every file that people download, and a bad line is named."""

import os
from pathlib import Path

import pytest

from lmlab.data.word_pairs import read_word_pairs
from lmlab.types import Mistake, WordPair

TWO = (WordPair("old", "new", 1.58), WordPair("New York", "Chicago", 9.2))
ONE_WORD = (TWO[0], WordPair("smart", "intelligent", 9.2))

FILES = {
    "tabs": b"old\tnew\t1.58\nNew York\tChicago\t9.2\n",
    "no newline at the end": b"old\tnew\t1.58\nNew York\tChicago\t9.2",
    "carriage returns": b"old\tnew\t1.58\r\nNew York\tChicago\t9.2\r\n",
    "mark, comments and blank lines": b"\xef\xbb\xbf# a\n#b\n\nold\tnew\t1.58\n\nNew York\tChicago\t9.2\n",
    "commas and a header": b"Word 1,Word 2,Human (mean)\nold,new,1.58\nNew York,Chicago,9.2\n",
    "judgements, headed by numbers": b"Word 1,Word 2,Human (mean),1,2\nold,new,1.58,9,8\nNew York,Chicago,9.2,7,6\n",
    "judgements behind": b"old\tnew\t1.58\t9\t8\nNew York\tChicago\t9.2\t10\t8\n",
    "SimLex": b"word1\tword2\tPOS\tSimLex999\tconc(w1)\nold\tnew\tA\t1.58\t2.7\nNew York\tChicago\tA\t9.2\t1.8\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_every_published_layout_is_read(tmp_path, content):
    path = tmp_path / "pairs"
    path.write_bytes(content)
    assert read_word_pairs(path) == TWO


def test_blanks_part_cells_too(tmp_path):
    path = tmp_path / "MEN_dataset_natural_form_full"
    path.write_text("old new 1.58\nsmart intelligent 9.2\n")
    assert read_word_pairs(path) == ONE_WORD


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        (b"a\tb\t1\nc\td\n", 2, "c | d"),
        (b"a\tb\t1\nc\td\t2\n\ne\tf\tmany\n", 4, "e | f | many"),
        (b"a\tb\t1\nc\td\tnan\n", 2, "c | d | nan"),
        (b"a\tb\t1\n\td\t2\n", 2, "d | 2"),
        (b"a\tb\nc\td\t2\n", 1, "a\\tb"),
        (b"alone\n", 1, "alone"),
    ],
)
def test_a_line_that_is_no_pair_is_named(tmp_path, content, line, found):
    path = tmp_path / "pairs.txt"
    path.write_bytes(content)
    with pytest.raises(Mistake) as mistake:
        read_word_pairs(path)
    assert str(mistake.value).startswith(f"{path}, line {line}: expected two words and a number")


def test_bytes_that_are_no_utf8_are_named(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"a\tb\t1\ncaf\xe9\td\t2\n")
    with pytest.raises(Mistake, match=r"line 2 is not UTF-8: byte 0xe9"):
        read_word_pairs(path)


@pytest.mark.parametrize("content", ["", "# nothing\n", "word1\tword2\tscore\n"])
def test_a_file_without_pairs_is_refused(tmp_path, content):
    path = tmp_path / "pairs.txt"
    path.write_text(content)
    with pytest.raises(Mistake, match="expected"):
        read_word_pairs(path)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "number"),
    [("wordsim353.tsv", 353), ("EN-WS-353-ALL.txt", 353), ("simlex999.txt", 999), ("EN-MEN-TR-3k.txt", 3000)],
)
def test_the_published_files_are_read_whole(name, number):
    path = Path(os.environ.get("LMLAB_DATA", "")) / "embeddings" / "eval" / name
    if not path.exists():
        pytest.skip("needs LMLAB_DATA with embeddings/eval")
    assert len(read_word_pairs(path)) == number
