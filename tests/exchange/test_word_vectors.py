"""Word vectors as other programs write and read them: equal numbers there and back, and a sentence for what is none."""

import gzip
import re
import struct

import numpy as np
import pytest

from lmlab.exchange.vector_files import write
from lmlab.exchange.word_vectors import read, width
from lmlab.types import Mistake

WORDS = ["the", "苹果", "don't", "a_b", "é"]
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), 7)).astype(np.float32)


def same(found, words=WORDS, vectors=VECTORS):
    assert found.words == list(words)
    assert np.array_equal(found.vectors, vectors)


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz", "v.bin", "v.bin.gz", "v.vec"])
def test_what_is_written_comes_back_with_the_same_bits(tmp_path, name):
    kinds = {"txt": "word2vec", "bin": "word2vec_binary", "vec": "fasttext_vec"}
    path = tmp_path / "new" / name
    write(path, WORDS, VECTORS, format=kinds[name.split(".")[1]])
    same(read(path))
    assert width(path) == 7
    assert [one.name for one in path.parent.iterdir()] == [name]


def test_gensim_reads_what_is_written_and_the_other_way_round(tmp_path):
    models = pytest.importorskip("gensim.models", reason="gensim reads and writes here")
    for kind, is_binary in (("word2vec", False), ("word2vec_binary", True), ("fasttext_vec", False)):
        write(tmp_path / kind, WORDS, VECTORS, format=kind)
        found = models.KeyedVectors.load_word2vec_format(str(tmp_path / kind), binary=is_binary)
        same(type("Found", (), {"words": found.index_to_key, "vectors": found.vectors}))
        found.save_word2vec_format(str(tmp_path / "theirs"), binary=is_binary)
        assert read(tmp_path / "theirs").words == WORDS
        np.testing.assert_allclose(read(tmp_path / "theirs").vectors, VECTORS, atol=1e-6)
    write(tmp_path / "kv", WORDS, VECTORS, format="keyedvectors", counts=np.arange(5, 0, -1))
    found = models.KeyedVectors.load(str(tmp_path / "kv"))
    same(type("Found", (), {"words": found.index_to_key, "vectors": found.vectors}))
    assert found.get_vecattr("the", "count") == 5


def test_a_file_of_glove_has_no_header_and_words_with_blanks(tmp_path):
    lines = [f"{word} " + " ".join(map(repr, vector.tolist())) for word, vector in zip([*WORDS[:4], ". . ."], VECTORS)]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    same(read(tmp_path / "glove.txt"), [*WORDS[:4], ". . ."])
    with gzip.open(tmp_path / "packed", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    same(read(tmp_path / "packed"), [*WORDS[:4], ". . ."])


def test_only_the_words_that_are_wanted_are_read(tmp_path):
    for kind in ("word2vec", "word2vec_binary"):
        write(tmp_path / kind, WORDS, VECTORS, format=kind)
        same(read(tmp_path / kind, wanted={"苹果", "é", "never"}), ["苹果", "é"], VECTORS[[1, 4]])


BINARY = b"2 3\nab " + struct.pack("<3f", 1, 2, 3) + b"\ncd " + struct.pack("<3f", 4, 5, 6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"2 3\na 1 2 3\nb 1 2\n", "line 3"),
        (b"a 1 2 3\nb 1 2 3 4 5\nc 1\n", "line 2"),
        (b"2 3\na 1 2 nan\nb 1 2 3\n", "line 2"),
        (b"1 2\na 1 inf\n", "line 2"),
        (b"3 2\na 1 2\nb 1 2\n", "3"),
        (BINARY[:-5], "cut off"),
        (b"hello world, this is a text\n", "holds no word vectors"),
        (b"0 0\n", "holds no vector"),
        (gzip.compress(b"1 2\na 1 2\n" * 500)[:-9], "cut off or damaged"),
        (b"PK\x03\x04abc", "zip archive"),
    ],
    ids=range(11),
)
def test_what_is_no_file_of_vectors_is_said_in_a_sentence(tmp_path, content, said):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(Mistake) as caught:
        read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_a_word_that_is_there_twice_the_first_counts_and_words_of_no_encoding_are_kept_apart(tmp_path, caplog):
    (tmp_path / "twice").write_bytes(b"3 2\na 1 2\nb 3 4\na 5 6\n")
    same(read(tmp_path / "twice"), ["a", "b"], np.array([[1, 2], [3, 4]], np.float32))
    (tmp_path / "latin").write_bytes(b"2 2\ncaf\xe9 1 2\nb 3 4\n")
    found = read(tmp_path / "latin")
    assert found.words[-1] == "b"


def test_nothing_half_written_is_left(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(Mistake, match=re.escape("cannot be written")):
        write(tmp_path / "folder", WORDS, VECTORS, format="word2vec")
    broken = VECTORS.copy()
    broken[1, 2] = np.nan
    with pytest.raises(Mistake, match="苹果"):
        write(tmp_path / "vectors", WORDS, broken, format="word2vec")
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]
