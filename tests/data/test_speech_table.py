"""Recordings in a table of one's own; what is wrong with some of them."""

import logging
import re

import pytest

from lmlab.data.speech_table import SpeechTable
from lmlab.types import SPLITS, Mistake


def made(path, **values):
    given = {
        "val_path": None, "test_path": None, "split": {"val": 0.2, "test": 0.2}, "audio": "path", "text": "text",
        "format": "auto", "separator": None, "header": True, "encoding": "utf-8", "sample_rate": 8000,
        "on_error": "strict", "cache_dir": None,
    }  # fmt: skip
    return SpeechTable(path=str(path), **given | values)


@pytest.fixture
def table(write_wav, tmp_path):
    """Forty recordings in a folder beside their table, one of them at another rate."""
    lines = ["path\ttext"]
    for number in range(40):
        write_wav(tmp_path / "clips" / f"{number}.wav", seconds=0.02, rate=16000 if number == 7 else 8000)
        lines.append(f"clips/{number}.wav\tword {number}")
    path = tmp_path / "list.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_paths_are_relative_to_the_table_and_rows_divided_by_their_texts(table, caplog):
    with caplog.at_level(logging.INFO):
        found = {split: list(made(table).read(split)) for split in SPLITS}
    texts = [one.text for examples in found.values() for one in examples]
    assert sorted(texts) == sorted(f"word {number}" for number in range(40))
    assert all(found.values())
    assert all(len(one.read()) == 160 for one in found["train"])
    assert "data.sample_rate=8000: other recordings are resampled (1 of 16,000 Hz)" in caplog.text


def test_a_file_of_its_own_is_a_split_of_its_own_and_not_trained_on(table, caplog):
    twin = table.with_name("twin.tsv")
    twin.write_bytes(table.read_bytes())
    source = made(table, val_path=str(twin), test_path=str(twin), split={"val": 0.1, "test": 0.1})
    assert [len(list(source.read(split))) for split in SPLITS] == [40, 40, 40]
    assert f"{twin} of val has the content of {table} of train: it says how well a model remembers" in caplog.text
    assert f"{twin} of test has the content of {twin} of val: it chooses what it then measures" in caplog.text
    source = made(table.parent, val_path=str(twin), split={"test": 0.0})
    assert [len(list(source.read(split))) for split in SPLITS] == [40, 40, 0]
    with pytest.raises(Mistake, match="has no files but those of validation and test"):
        made(table, val_path=str(table))


def test_jsonl_and_columns_by_number_are_read_as_well(table, tmp_path):
    lines = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    (tmp_path / "list.jsonl").write_text("\n".join(f'{{"path": "{path}", "text": "{text}"}}' for path, text in lines))
    (tmp_path / "bare.csv").write_text("\n".join(f"{text},{path}" for path, text in lines))
    expected = [one.text for one in made(table).read("train")]
    assert [one.text for one in made(tmp_path / "list.jsonl").read("train")] == expected
    bare = made(tmp_path / "bare.csv", header=False, audio=1, text=0)
    assert [one.text for one in bare.read("train")] == expected


def broken(table, kind):
    place = table.parent / "clips/3.wav"
    if kind == "missing":
        place.unlink()
    elif kind == "silent":
        table.write_text(table.read_text().replace("\tword 3\n", "\t\n"))
    else:
        content = place.read_bytes()
        place.write_bytes({"empty": b"", "cut": content[:-9], "text": b"not a recording"}[kind])


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "does not exist"),
        ("empty", "is empty"),
        ("cut", "is cut off"),
        ("text", "is no wav file"),
        ("silent", "has no transcript"),
    ],
)
def test_a_faulty_recording_is_named_or_left_out_and_told(table, kind, said, caplog):
    broken(table, kind)
    with pytest.raises(Mistake, match=rf"3\.wav \(list\.tsv, line 5\) {said}.*data\.on_error=skip"):
        list(made(table).read("train"))
    source = made(table, on_error="skip")
    assert sum(len(list(source.read(split))) for split in SPLITS) == 39
    assert f"1 recording was left out: 3.wav (list.tsv, line 5) {said}" in caplog.text


ROW_FAULTS = {
    "nul": ('{"path": "clips/3.wav", "text": "wo\\u0000rd"}', "holds a NUL byte"),
    "null": ('{"path": null, "text": "word"}', "names no recording"),
    "number": ('{"path": "clips/3.wav", "text": 5}', "has for text what is no text: 5"),
    "silent": ('{"path": "clips/3.wav", "text": null}', "has no transcript"),
    "keys": ('{"file": "clips/3.wav", "text": "word"}', "has no path (but file, text)"),
    "json": ('{"path": "clips/3.wav"', "is no JSON"),
    "folder": ('{"path": "clips", "text": "word"}', "is no file"),
}


@pytest.mark.parametrize("kind", ROW_FAULTS)
def test_a_faulty_row_is_named_with_its_line_or_left_out_and_told(table, kind, caplog):
    row, said = ROW_FAULTS[kind]
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    path = table.with_name("list.jsonl")
    lines = [f'{{"path": "{audio}", "text": "{text}"}}' for audio, text in rows]
    path.write_text("\n".join([*lines[:4], row, *lines[4:]]))
    with pytest.raises(Mistake, match=rf"list\.jsonl, line 5\)? {re.escape(said)}.*data\.on_error=skip"):
        list(made(path).read("train"))
    source = made(path, on_error="skip")
    assert sum(len(list(source.read(split))) for split in SPLITS) == 40
    assert "1 recording was left out: " in caplog.text
    assert said in caplog.text


def test_recordings_of_several_channels_are_said_once(table, caplog):
    place = table.parent / "clips/3.wav"
    content = bytearray(place.read_bytes())
    content[22:24], content[28:34] = b"\2\0", b"\0\x7d\0\0\4\0"
    place.write_bytes(content)
    with caplog.at_level(logging.INFO):
        source = made(table)
        assert sorted({len(one.read()) for split in SPLITS for one in source.read(split)}) == [80, 160]
    assert caplog.text.count("of recordings with several channels (1) the mean is read") == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"audio": "file"}, "data.audio=file is no column"),
        ({"audio": "text"}, "data.audio=text is the column of data.text"),
        ({"split": {"val": 0.0}}, "leaves no row for validation"),
        ({"path": None}, "this data needs data.path"),
    ],
)
def test_what_does_not_fit_is_said(table, values, said):
    with pytest.raises(Mistake, match=said):
        SpeechTable(**{**_values(table), **values})


def _values(table):
    return {
        "path": str(table), "val_path": None, "test_path": None, "split": {"val": 0.2}, "audio": "path", "text": "text",
        "format": "auto", "separator": None, "header": True, "encoding": "utf-8", "sample_rate": 8000,
        "on_error": "strict", "cache_dir": None,
    }  # fmt: skip
