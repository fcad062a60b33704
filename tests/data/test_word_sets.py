"""Evaluation sets are recognised below a folder by the names of their files."""

import pytest

from lmlab.data import word_sets
from lmlab.data.word_sets import find_word_sets, read_word_sets
from lmlab.types import Mistake


@pytest.fixture
def root(tmp_path):
    files = {
        "a/eval/EN-WS-353-ALL.txt": "tiger\tcat\t7.35\r\n",
        "a/eval/SimLex-999/SimLex-999.txt": "word1\tword2\tPOS\tSimLex999\nold\tnew\tA\t1.58\n",
        "a/eval/simlex999.txt": "old\tnew\t1.0\n",
        "a/eval/questions-words.txt": ": family\nboy girl king queen\n",
        "a/eval/CA8/semantic.txt": ": nature\n一 二 三 四\n",
        "a/eval/CA8/morphological.txt": ": A\n一 一一 二 二二\n",
        "b/semantic.txt": "something else",
        "b/.hidden/rw.txt": "a\tb\t1\n",
        "1/2/3/4/5/rw.txt": "a\tb\t1\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    return tmp_path


def test_known_names_are_found_the_best_known_first(root):
    similarity, analogy = find_word_sets(root)
    assert {name: path.name for name, path in similarity.items()} == {
        "wordsim353": "EN-WS-353-ALL.txt",
        "simlex999": "SimLex-999.txt",
    }
    assert {name: [path.name for path in paths] for name, paths in analogy.items()} == {
        "analogy": ["questions-words.txt"],
        "ca8": ["semantic.txt", "morphological.txt"],
    }


def test_the_sets_are_read(root):
    sets = read_word_sets(root)
    assert sets.similarity["simlex999"][0].score == 1.58
    assert [question.section for question in sets.analogy["ca8"]] == ["nature", "A"]


def test_the_folder_of_ca8_may_be_the_root(root):
    assert list(find_word_sets(root / "a/eval/CA8")[1]) == ["ca8"]


def test_a_huge_root_is_not_searched_to_its_end(root, monkeypatch, caplog):
    monkeypatch.setattr(word_sets, "MAX_FOLDERS", 2)
    assert find_word_sets(root) == ({}, {})
    assert "more than 2 folders" in caplog.text


def test_an_empty_folder_has_none_and_a_missing_one_is_said(tmp_path):
    assert find_word_sets(tmp_path) == ({}, {})
    with pytest.raises(Mistake, match="is not a folder"):
        find_word_sets(tmp_path / "missing")
