"""Recordings in a table of one's own; what is wrong with some of them."""

import logging

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


def test_a_file_of_its_own_is_a_split_of_its_own(table):
    source = made(table, val_path=str(table), test_path=str(table), split={"val": 0.1, "test": 0.1})
    assert [len(list(source.read(split))) for split in SPLITS] == [40, 40, 40]


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
    assert f"1 recordings were left out: 3.wav (list.tsv, line 5) {said}" in caplog.text


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
