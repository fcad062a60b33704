"""Anyone's files: what is read, how it is divided, and what is said where it cannot be."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from lmlab.data import fingerprint
from lmlab.data.text import TextFiles
from lmlab.types import SPLITS, Mistake

TEXT = "".join(f"line {number}\n" for number in range(100))


def files(path: Path | str | None, **changes: Any) -> TextFiles:
    values: dict[str, Any] = {
        "val_path": None,
        "test_path": None,
        "split": {"val": 0.2, "test": 0.1},
        "encoding": "utf-8",
        "on_error": "strict",
        "cache_dir": None,
    }
    return TextFiles(path=None if path is None else str(path), **values | changes)


def texts(source: TextFiles, split: Any) -> list[str]:
    return [example.text for example in source.read(split)]


def written(path: Path, content: str | bytes = TEXT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def complaint(path: Path | str | None, **changes: Any) -> str:
    with pytest.raises(Mistake) as caught:
        _read_all(path, **changes)
    return str(caught.value)


def _read_all(path: Path | str | None, **changes: Any) -> None:
    source = files(path, **changes)
    for split in SPLITS:
        texts(source, split)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMLAB_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_one_file_is_cut_into_train_val_and_test_in_this_order(tmp_path: Path) -> None:
    parts = [texts(files(written(tmp_path / "a.txt")), split) for split in SPLITS]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert "".join(text for part in parts for text in part) == TEXT
    assert len(parts[0][0]) == int(0.7 * len(TEXT))
    assert len(parts[2][0]) == int(0.1 * len(TEXT))


def test_many_files_are_documents_and_the_parts_hold_all_of_them(tmp_path: Path) -> None:
    documents = [f"{number} " * 20 for number in range(30)]
    for number, document in enumerate(documents):
        written(tmp_path / f"folder {number % 3}/{number}.txt", document)
    parts = {split: texts(files(tmp_path), split) for split in SPLITS}
    total = sum(map(len, documents))
    assert sum(len(text) for part in parts.values() for text in part) == total
    assert sum(map(len, parts["val"])) == pytest.approx(0.2 * total, abs=2)
    whole = [text for part in parts.values() for text in part if text in documents]
    assert len(set(whole)) >= 28  # at most two are cut


def test_the_parts_do_not_depend_on_where_the_files_lie_and_what_they_are_called(tmp_path: Path) -> None:
    for number in range(7):
        written(tmp_path / f"one/{number}.txt", f"{number}" * 40)
        written(tmp_path / f"two/deeper/{9 - number}.txt", f"{number}" * 40)
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert one.fingerprint() == two.fingerprint()
    assert all(texts(one, split) == texts(two, split) for split in SPLITS)


def test_equal_files_are_one_document(tmp_path: Path) -> None:
    for name in "abc":
        written(tmp_path / f"{name}.txt")
    assert "".join(text for split in SPLITS for text in texts(files(tmp_path), split)) == TEXT


@pytest.mark.parametrize("name", ["a (1).txt", "b [x] *.txt", "no suffix", "世界.text", "q?.TXT", "{c}, d'.txt"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    written(tmp_path / "a.txt", "another")
    assert "".join(texts(files(written(tmp_path / name)), "train")).startswith("line 0")


def test_a_folder_gives_text_and_gzip_files_at_any_depth_and_no_others(tmp_path: Path) -> None:
    written(tmp_path / "a.txt", "a" * 50)
    written(tmp_path / "in/b.txt.gz", gzip.compress(b"b" * 50))
    written(tmp_path / "in/c.gz", gzip.compress(b"c" * 50))
    written(tmp_path / "d.md", "d" * 50)
    assert set("".join(text for split in SPLITS for text in texts(files(tmp_path), split))) == {"a", "b", "c"}


def test_a_pattern_gives_what_it_matches(tmp_path: Path) -> None:
    written(tmp_path / "a1.md", "a" * 50)
    written(tmp_path / "deep/a2.md", "b" * 50)
    written(tmp_path / "b.md", "c" * 50)
    assert set("".join(texts(files(tmp_path / "a*.md", split={"val": 0.1}), "train"))) == {"a"}
    assert set("".join(texts(files(tmp_path / "**/a*.md", split={"val": 0.01}), "train"))) == {"a", "b"}


def test_parts_with_files_of_their_own_are_those_files(tmp_path: Path) -> None:
    train, val = written(tmp_path / "train.txt", "train " * 50), written(tmp_path / "val.txt", "val " * 9)
    source = files(train, val_path=str(val))
    assert texts(source, "val") == ["val " * 9]
    assert sum(len(text) for split in ("train", "test") for text in texts(source, split)) == 300
    assert texts(files(train, val_path=str(val), split={"val": 0.2, "test": 0}), "train") == ["train " * 50]


def test_a_validation_file_in_the_training_folder_is_not_trained_on(tmp_path: Path) -> None:
    written(tmp_path / "train.txt", "t" * 50)
    val = written(tmp_path / "val.txt", "v" * 50)
    assert set("".join(texts(files(tmp_path, val_path=str(val)), "train"))) == {"t"}


def test_newlines_of_every_kind_stay_as_they_are(tmp_path: Path) -> None:
    text = "a\r\nb\rc\nd\x85e\u2028f\x0bg" * 20
    source = files(written(tmp_path / "a.txt", text))
    assert "".join(text for split in SPLITS for text in texts(source, split)) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "latin-1", "gb18030"])
def test_every_encoding_gives_the_same_text_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    text = "naïve café\n" * 20
    mark = "\ufeff" if encoding in ("utf-8", "utf-16-le") else ""
    source = files(written(tmp_path / "a.txt", (mark + text).encode(encoding)), encoding=encoding)
    assert "".join(part for split in SPLITS for part in texts(source, split)) == text


def test_the_fingerprint_follows_the_content_and_what_is_made_of_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt")
    first = files(path).fingerprint()
    assert files(written(tmp_path / "b/b.txt")).fingerprint() == first
    assert files(path, split={"val": 0.3}).fingerprint() != first
    assert files(path, encoding="latin-1").fingerprint() != first
    written(path, TEXT + "x")
    assert files(path).fingerprint() != first


def test_hashes_of_large_files_are_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.txt")
    direct = fingerprint.file_hash(path, tmp_path)
    monkeypatch.setattr(fingerprint, "REMEMBERED", 10)
    assert fingerprint.file_hash(path, tmp_path) == direct
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "_whole", lambda path: pytest.fail("it was read again"))
        assert fingerprint.file_hash(path, tmp_path) == direct
    written(path, TEXT + "x")
    assert fingerprint.file_hash(path, tmp_path) != direct


def test_huge_files_are_known_by_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "SAMPLED", 100)
    monkeypatch.setattr(fingerprint, "BLOCK", 7)
    path = written(tmp_path / "a.txt")
    first = fingerprint.file_hash(path, tmp_path)
    assert fingerprint.file_hash(path, tmp_path) == first
    written(path, TEXT[:-1] + "x")
    assert fingerprint.file_hash(path, tmp_path) != first


# What is said where it cannot be read.


@pytest.mark.parametrize("path", [None, "", "???"])
def test_no_path_says_what_to_give(path: str | None) -> None:
    assert "data.path" in complaint(path)


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    written(tmp_path / "shakespeare.txt")
    assert "shakespeare.txt" in complaint(tmp_path / "shakespear.txt")
    assert "folder" in complaint(tmp_path / "nowhere/a.txt")
    assert "data.val_path" in complaint(tmp_path / "shakespeare.txt", val_path=str(tmp_path / "val.txt"))


def test_an_empty_file_and_a_folder_without_text_are_refused(tmp_path: Path) -> None:
    assert "is empty" in complaint(written(tmp_path / "a.txt", ""))
    assert "data.test_path is empty" in complaint(
        written(tmp_path / "b.txt"), test_path=str(written(tmp_path / "c.txt", ""))
    )
    written(tmp_path / "folder/a.md")
    assert ".txt" in complaint(tmp_path / "folder")


def test_too_small_a_text_says_how_much_there_is_and_how_much_is_needed(tmp_path: Path) -> None:
    message = complaint(written(tmp_path / "a.txt", "123456789"))
    assert "9 characters" in message
    assert "at least 10" in message
    assert all(texts(files(written(tmp_path / "a.txt", "1234567890")), split) for split in SPLITS)


def test_binary_files_are_refused_with_the_place(tmp_path: Path) -> None:
    assert "NUL byte at offset 600" in complaint(written(tmp_path / "a.bin", b"x" * 600 + b"\0" + b"y" * 600))
    assert files(tmp_path / "a.bin", on_error="replace").read("train")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_recognised_and_the_key_named(tmp_path: Path, encoding: str) -> None:
    assert "data.encoding=utf-16" in complaint(written(tmp_path / "a.txt", TEXT.encode(encoding)))


def test_undecodable_bytes_name_file_offset_and_encoding(tmp_path: Path) -> None:
    message = complaint(written(tmp_path / "a.txt", ("x" * 30 + "café " * 20).encode("latin-1")))
    assert "a.txt" in message
    assert "offset 33" in message
    assert "data.encoding=latin-1" in message
    assert "data.on_error=replace" in message
    source = files(tmp_path / "a.txt", on_error="replace")
    assert "caf\ufffd" in "".join(texts(source, "train"))


def test_chinese_in_its_older_encoding_is_recognised(tmp_path: Path) -> None:
    assert "data.encoding=gb18030" in complaint(written(tmp_path / "a.txt", ("他有三个女儿。" * 20).encode("gb18030")))


def test_unknown_keys_and_values_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt")
    assert "data.encoding=utf9" in complaint(path, encoding="utf9")
    assert "data.encoding=rot13" in complaint(path, encoding="rot13")
    assert "data.on_error=ignore" in complaint(path, on_error="ignore")
    assert "data.split.valid" in complaint(path, split={"valid": 0.1})
    assert "data.split.val=1.5" in complaint(path, split={"val": 1.5})
    assert "nothing for training" in complaint(path, split={"val": 0.5, "test": 0.5})
    assert "data.split.val=0" in complaint(path, split={"val": 0, "test": 0.1})


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    content = gzip.compress(TEXT.encode())
    for damaged in (content[:-20], content[:30] + b"xxxx" + content[34:]):
        assert "a.txt.gz is a damaged gzip file" in complaint(written(tmp_path / "a.txt.gz", damaged))
