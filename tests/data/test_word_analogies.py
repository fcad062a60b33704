"""Analogies are read by section, and a bad line is named."""

import pytest

from lmlab.data.word_analogies import read_word_analogies
from lmlab.types import Analogy, Mistake


def written(tmp_path, content, name="questions-words.txt"):
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def test_sections_and_their_kind_are_read(tmp_path):
    path = written(
        tmp_path, "//Copyright\n: family\r\nboy girl king queen\r\n\r\n: gram8-plural\nbird birds cat cats\n"
    )
    assert read_word_analogies(path) == (
        Analogy("family", False, ("boy", "girl", "king", "queen")),
        Analogy("gram8-plural", True, ("bird", "birds", "cat", "cats")),
    )


def test_the_morphological_file_of_ca8_asks_for_forms(tmp_path):
    (question,) = read_word_analogies(written(tmp_path, ": AB\r\n队 队长 列车 列车长\r\n", "morphological.txt"))
    assert question == Analogy("AB", True, ("队", "队长", "列车", "列车长"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (": family\nboy girl king\n", "line 2: expected four words, found 'boy girl king'"),
        (": family\nboy girl king queen prince\n", "line 2: expected four words"),
        ("boy girl king queen\n", "line 1: expected ': SECTION' before the first question"),
        (": family\n", "holds no question"),
        ("", "holds no question"),
    ],
)
def test_what_is_no_question_is_named(tmp_path, content, sentence):
    with pytest.raises(Mistake, match=sentence):
        read_word_analogies(written(tmp_path, content))
