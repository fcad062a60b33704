"""Anyone's tables: what is read as which example, how rows are divided, and what is said where they cannot be read."""

import gzip
import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmlab.data.table import Table
from lmlab.examples import Labelled
from lmlab.types import SPLITS, Mistake, Source, Split

CONF = Path(__file__).parents[2] / "conf/data/table.yaml"
ROWS = [(f"text {number}", "pos" if number % 3 else "neg") for number in range(60)]


def table(path: Path | str | None, **changes: Any) -> Table:
    """As the YAML says, but for the changes."""
    values = {key: value for key, value in yaml.safe_load(CONF.read_text()).items() if key != "_target_"}
    return Table(**values | {"cache_dir": None, "path": None if path is None else str(path)} | changes)


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def csv_of(rows: Iterable[Sequence[str]], header: str = "text,label", end: str = "\n") -> str:
    lines = [header] if header else []
    return "".join(f"{line}{end}" for line in [*lines, *(",".join(row) for row in rows)])


def everything(source: Table) -> list[Labelled]:
    return [example for split in SPLITS for example in source.read(split)]


def alone(tmp_path: Path, content: str | bytes, name: str = "train.csv", **changes: Any) -> list[Labelled]:
    """The examples of one file that is all of train, and all of validation as well."""
    path = written(tmp_path / name, content)
    twin = written(tmp_path / f"twin/{name}", content)
    return list(table(path, val_path=str(twin), split={}, **changes).read("train"))


def complaint(tmp_path: Path, content: str | bytes, name: str = "train.csv", **changes: Any) -> str:
    with pytest.raises(Mistake) as caught:
        everything(table(written(tmp_path / name, content), **changes))
    message = str(caught.value)
    assert "\n" not in message
    assert "data." in message or "give a file" in message or "write it" in message
    return message


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMLAB_CACHE", str(tmp_path_factory.mktemp("cache")))


# What is read.


def test_it_is_a_source_of_labelled_examples(tmp_path: Path) -> None:
    source = table(written(tmp_path / "a.csv", csv_of(ROWS)))
    assert isinstance(source, Source)
    assert source.example is Labelled
    assert Counter(everything(source)) == Counter(Labelled((text,), (label,)) for text, label in ROWS)


def test_csv_tsv_and_json_lines_give_the_same_examples(tmp_path: Path) -> None:
    expected = [Labelled((text,), (label,)) for text, label in ROWS]
    tsv = "".join("\t".join(row) + "\n" for row in [("text", "label"), *ROWS])
    lines = "".join(json.dumps({"label": label, "text": text, "id": 3}) + "\n" for text, label in ROWS)
    for name, content in {"a.csv": csv_of(ROWS), "a.tsv": tsv, "a.jsonl": lines}.items():
        assert alone(tmp_path, content.removesuffix("\n"), name) == expected
        assert alone(tmp_path, gzip.compress(content.encode()), f"{name}.gz") == expected
    assert alone(tmp_path, tsv, "a.data", format="tsv") == expected
    assert alone(tmp_path, tsv, "a.CSV", format="csv", separator="tab") == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quotes_enclose_separators_line_breaks_and_quotes(tmp_path: Path, end: str) -> None:
    content = f'text,label{end}"a, ""b""{end}second",x{end}plain,y{end}'
    assert alone(tmp_path, content) == [Labelled((f'a, "b"{end}second',), ("x",)), Labelled(("plain",), ("y",))]


def test_without_quoting_a_quote_is_a_character(tmp_path: Path) -> None:
    content = 'text\tlabel\n"so he said\tx\nand left"\ty\n'
    assert [one.texts[0] for one in alone(tmp_path, content, "a.tsv")] == ['"so he said', 'and left"']
    assert [one.texts[0] for one in alone(tmp_path, content.replace("\t", ","), quoting=False)] == [
        '"so he said',
        'and left"',
    ]


def test_mixed_line_ends_blank_lines_and_a_missing_last_one_change_nothing(tmp_path: Path) -> None:
    for name, line in {
        "a.csv": "text,label\r\na,x\n\nb,y\r\n\r\nc,x",
        "a.tsv": "text\tlabel\na\tx\r\n\nb\ty\n  \nc\tx",
    }.items():
        assert [(*one.texts, *one.labels) for one in alone(tmp_path, line, name)] == [
            ("a", "x"),
            ("b", "y"),
            ("c", "x"),
        ]


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\x0b", "\x0c", "\x1c"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_lines_end_at_newlines_alone(tmp_path: Path, mark: str, name: str) -> None:
    rows = [(f"a{mark}b", "x"), ("c", "y")]
    if name == "a.jsonl":
        content = "".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in rows)
        content = content.replace(json.dumps(mark)[1:-1], mark) if mark > "\x1f" else content
    else:
        content = csv_of(rows).replace(",", "\t" if name == "a.tsv" else ",")
    assert [one.texts[0] for one in alone(tmp_path, content, name)] == [f"a{mark}b", "c"]


def test_a_carriage_return_within_a_text_stays_where_quotes_are_characters(tmp_path: Path) -> None:
    assert alone(tmp_path, "text\tlabel\na\rb\tx\nc\ty\n", "a.tsv")[0].texts == ("a\rb",)


def test_a_line_of_five_megabytes_is_read(tmp_path: Path) -> None:
    long = "word " * 10**6
    for name, content in {
        "a.csv": f'text,label\n"{long}",x\nb,y\n',
        "a.tsv": f"text\tlabel\n{long}\tx\nb\ty\n",
        "a.jsonl": f'{{"text": "{long}", "label": "x"}}\n{{"text": "b", "label": "y"}}\n',
    }.items():
        assert [len(one.texts[0]) for one in alone(tmp_path, content, name)] == [len(long), 1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "gb18030"])
def test_every_encoding_gives_the_same_rows_and_no_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    content = "text,label\nnaïve,x\ncafé,y\n"
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    found = alone(tmp_path, (mark + content).encode(encoding), encoding="utf-8" if "sig" in encoding else encoding)
    assert [one.texts[0] for one in found] == ["naïve", "café"]


def test_columns_have_names_or_numbers(tmp_path: Path) -> None:
    content = "id,body,class\n1,a,x\n2,b,y\n"
    expected = [Labelled(("a",), ("x",)), Labelled(("b",), ("y",))]
    assert alone(tmp_path, content, text="body", label="class") == expected
    assert alone(tmp_path, content, text=1, label=2) == expected
    assert alone(tmp_path, content.partition("\n")[2], text=1, label=2, header=False) == expected
    assert alone(tmp_path, content.replace(",", ";"), text=1, label=2, separator="semicolon") == expected
    assert alone(tmp_path, content.replace(",", "||"), text=1, label=2, separator="||", quoting=False) == expected


def test_two_columns_are_a_pair_or_one_joined_text(tmp_path: Path) -> None:
    content = "title,body,label\na,b,x\n,d,y\n"
    assert alone(tmp_path, content, text=["title", "body"], join=": ") == [
        Labelled(("a: b",), ("x",)),
        Labelled(("d",), ("y",)),
    ]
    pair = alone(tmp_path, content.replace(",d", "c,d"), text=["title", "body"])
    assert [one.texts for one in pair] == [("a", "b"), ("c", "d")]


def test_several_labels_may_hold_at_once_or_none(tmp_path: Path) -> None:
    content = 'text,label\na,"x, y"\nb,\nc,y;\nd,"y,y"\n'
    assert [one.labels for one in alone(tmp_path, content, label_separator=",")] == [("x", "y"), (), ("y;",), ("y",)]
    lines = '{"text": "a", "label": ["x", "y"]}\n{"text": "b", "label": []}\n{"text": "c", "label": "x|y"}\n'
    found = alone(tmp_path, lines, "a.jsonl", label_separator="|")
    assert [one.labels for one in found] == [("x", "y"), (), ("x", "y")]


def test_labels_of_json_may_be_numbers_and_truth_values_and_white_space_around_labels_goes(tmp_path: Path) -> None:
    lines = '{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n{"text": "c", "label": true}\n'
    assert [one.labels for one in alone(tmp_path, lines, "a.jsonl")] == [("1",), ("0",), ("true",)]
    assert [one.labels for one in alone(tmp_path, "text,label\na, x \nb,x\nc,y\n")] == [("x",), ("x",), ("y",)]


# How rows are divided.


def test_rows_are_divided_by_their_texts_so_that_a_repeated_text_stays_in_one_split(tmp_path: Path) -> None:
    rows = [(f"text  {number % 40}{' ' * (number // 40)}", "ab"[number % 2]) for number in range(400)]
    source = table(written(tmp_path / "a.csv", csv_of(rows)), split={"val": 0.2, "test": 0.2})
    parts = {split: {" ".join(one.texts[0].split()) for one in source.read(split)} for split in SPLITS}
    assert sum(len(part) for part in parts.values()) == 40
    assert len(everything(source)) == 400
    assert all(parts.values())


def test_the_part_of_a_row_does_not_depend_on_other_rows_or_files(tmp_path: Path) -> None:
    one = table(written(tmp_path / "a.csv", csv_of(ROWS)))
    written(tmp_path / "two/b.csv", csv_of(ROWS[:30]))
    written(tmp_path / "two/c.csv", csv_of(ROWS[30:]))
    two = table(tmp_path / "two")
    for split in SPLITS:
        assert Counter(one.read(split)) == Counter(two.read(split))
        assert list(one.read(split)) == list(one.read(split))


def test_files_of_their_own_are_validation_and_test_and_are_not_trained_on(tmp_path: Path) -> None:
    for name, rows in {"train": ROWS[:30], "val": ROWS[30:40], "test": ROWS[40:]}.items():
        written(tmp_path / f"{name}.csv", csv_of(rows))
    source = table(tmp_path, val_path=str(tmp_path / "val.csv"), test_path=str(tmp_path / "test.csv"))
    assert [len(list(source.read(split))) for split in SPLITS] == [30, 10, 20]
    without = table(tmp_path / "train.csv", val_path=str(tmp_path / "val.csv"), split={"val": 0.3, "test": 0})
    assert [len(list(without.read(split))) for split in SPLITS] == [30, 10, 0]


def test_the_fingerprint_follows_the_content_and_what_is_made_of_it_and_not_the_place(tmp_path: Path) -> None:
    content = csv_of([(text, label, "z") for text, label in ROWS], "text,label,other")
    path = written(tmp_path / "a.csv", content)
    first = table(path).fingerprint()
    assert table(written(tmp_path / "in/b.csv", content)).fingerprint() == first
    for changes in (
        {"split": {"val": 0.3}},
        {"text": "other"},
        {"encoding": "latin-1"},
        {"on_error": "skip"},
        {"join": " "},
    ):
        assert table(path, **changes).fingerprint() != first
    written(path, content + "more,pos,z\n")
    assert table(path).fingerprint() != first


# What is said where it cannot be read.

FAULTS = {
    "columns": ("a.csv", "text,label\na,x\nb,x,y\nc,y\n", "line 3 has 3 columns in place of 2"),
    "fewer": ("a.tsv", "text\tlabel\na\tx\nb\nc\ty\n", "line 3 has 1 column in place of 2"),
    "text": ("a.csv", "text,label\na,x\n ,x\nc,y\n", "line 3 has an empty text; write one, or set data.text"),
    "label": ("a.csv", "text,label\na,x\nb,\nc,y\n", "line 3 has an empty label; write one, or set data.label"),
    "quote": (
        "a.csv",
        'text,label\na,x\n"b" b,x\nc,y\n',
        "line 3 has something between a closing quote and the separator",
    ),
    "return": ("a.csv", "text,label\na,x\nb\rb,x\nc,y\n", "line 3 has a carriage return outside of quotes"),
    "nul": ("a.csv", "text,label\na,x\nb\0,x\nc,y\n", "line 3 holds a NUL byte"),
    "no json": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": \n{"text": "c", "label": "y"}\n',
        "line 3 is no JSON (Expecting value at column 10)",
    ),
    "deep": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n' + "[" * 10**5 + '\n{"text": "c", "label": "y"}\n',
        "line 3 is JSON of",
    ),
    "list": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n["b", "x"]\n{"text": "c", "label": "y"}\n',
        "line 3 is JSON, but no object",
    ),
    "key": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"txt": "b", "label": "x"}\n{"text": "c", "label": "y"}\n',
        "line 3 has no text (but txt); set data.text",
    ),
    "number": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": 5, "label": "x"}\n{"text": "c", "label": "y"}\n',
        "line 3 has for a text what is none: 5; set data.text",
    ),
    "null": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": null, "label": "x"}\n{"text": "c", "label": "y"}\n',
        "line 3 has an empty text",
    ),
    "labels": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": "b", "label": ["x"]}\n{"text": "c", "label": "y"}\n',
        "line 3 has a list of labels; set data.label_separator",
    ),
    "object": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": "b", "label": {"x": 1}}\n{"text": "c", "label": "y"}\n',
        "line 3 has for a label what is none",
    ),
    "surrogate": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": "b\\ud83d", "label": "x"}\n{"text": "c", "label": "y"}\n',
        "line 3 holds half of a surrogate pair",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_row_stops_with_its_file_and_line_and_what_to_change(tmp_path: Path, kind: str) -> None:
    name, content, expected = FAULTS[kind]
    message = complaint(tmp_path, content, name)
    assert message.startswith(f"{tmp_path / name}, {expected}")
    assert message.endswith("set data.on_error=skip to leave such examples out")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_row_can_be_left_out_and_is_reported_once(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, content, expected = FAULTS[kind]
    path, twin = written(tmp_path / name, content), written(tmp_path / f"twin/{name}", content)
    source = table(path, val_path=str(twin), on_error="skip", split={})
    assert [[one.texts[0] for one in source.read(split)] for split in ("train", "val")] == [["a", "c"], ["a", "c"]]
    assert len(list(source.read("train"))) == 2
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "has the content of" in said.pop(0)
    assert len(said) == 2, "one for each file"
    assert said[0].startswith(f"1 example was left out of {path}: {expected.split(';')[0]}")


def test_many_rows_that_are_left_out_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    alone(tmp_path, "text,label\na,x\nb,y\n" + ",x\n" * 12, on_error="skip")
    assert "12 examples were left out" in caplog.text
    assert "line 4 has an empty text, line 5 has an empty text, line 6 has an empty text, and 9 more" in caplog.text


def test_a_quote_that_is_never_closed_is_not_skipped_with_all_that_stands_behind_it(tmp_path: Path) -> None:
    for on_error in ("strict", "skip"):
        message = complaint(tmp_path, csv_of([*ROWS[:3], ('"open', "x"), *ROWS]), on_error=on_error)
        assert "line 5 opens a quote that is never closed" in message
        assert "data.quoting=false" in message


def test_a_header_that_cannot_be_read_is_not_skipped(tmp_path: Path) -> None:
    assert "line 1 has something between" in complaint(tmp_path, csv_of(ROWS, '"text" a,label'), on_error="skip")


def test_bytes_of_another_encoding_name_line_and_encoding_or_are_left_out(tmp_path: Path) -> None:
    content = csv_of([("a", "x"), ("café", "x"), ("c", "y")]).encode("latin-1")
    message = complaint(tmp_path, content)
    assert "line 3 is not utf-8: byte 0xe9; set data.encoding=latin-1" in message
    assert [one.texts[0] for one in alone(tmp_path, content, on_error="skip")] == ["a", "c"]
    assert "data.encoding=gb18030" in complaint(tmp_path, csv_of([("他有三个女儿。" * 20, "x")]).encode("gb18030"))
    for on_error in ("strict", "skip"):
        assert "data.encoding=utf-16" in complaint(tmp_path, csv_of(ROWS).encode("utf-16"), on_error=on_error)


def test_damaged_and_empty_files_are_named(tmp_path: Path) -> None:
    packed = gzip.compress(csv_of(ROWS).encode())
    assert "a.csv.gz is a damaged gzip file" in complaint(tmp_path, packed[:-20], "a.csv.gz")
    for content in ("", "\n\r\n", "\ufeff"):
        assert "train.csv is empty" in complaint(tmp_path, content)
    assert "a header and no rows" in complaint(tmp_path, "text,label\n")
    assert "carriage returns alone" in complaint(tmp_path, csv_of(ROWS, end="\r"))


def test_a_missing_column_names_the_nearest_and_all_there_are(tmp_path: Path) -> None:
    message = complaint(tmp_path, csv_of(ROWS, "texts,label"))
    assert "data.text=text is no column of" in message
    assert "(but texts); set data.text to one of texts, label" in message
    assert "data.label=label is no column" in complaint(tmp_path, csv_of(ROWS, "text,class"))
    assert "set data.separator" in complaint(tmp_path, csv_of(ROWS).replace(",", ";"))
    assert "data.text=2 is no column" in complaint(tmp_path, csv_of(ROWS), text=2)
    assert "data.text=-1 is no column" in complaint(tmp_path, csv_of(ROWS), text=-1)
    assert "twice" in complaint(tmp_path, csv_of(ROWS, "text,text"), label=1)
    assert "data.text=text is a name" in complaint(tmp_path, csv_of(ROWS), header=False, label=1)


def test_a_label_that_no_training_example_has_is_named_with_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = written(tmp_path / "train.csv", csv_of(ROWS))
    val = written(tmp_path / "val.csv", csv_of([("a", "pos"), ("b", "neutral"), ("c", "neutral")]))
    with pytest.raises(Mistake, match=r"val\.csv, line 3 has the label neutral, which no training example has"):
        everything(table(train, val_path=str(val)))
    source = table(train, val_path=str(val), on_error="skip")
    assert [one.texts[0] for one in source.read("val")] == ["a"]
    assert "2 examples were left out" in caplog.text


def test_data_with_nothing_to_learn_is_refused(tmp_path: Path) -> None:
    assert "every training example has the label pos" in complaint(
        tmp_path, csv_of([(text, "pos") for text, _ in ROWS])
    )
    assert "no training example is left" in complaint(tmp_path, csv_of([("", "x"), ("", "y")]), on_error="skip")
    assert "data.split.val=0.0001 leaves no example for val" in complaint(tmp_path, csv_of(ROWS), split={"val": 0.0001})
    assert "data.split.val=0 leaves no validation" in complaint(tmp_path, csv_of(ROWS), split={"val": 0, "test": 0.1})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"label": None}, "data.label=null"),
        ({"label": "text"}, "data.label=text is a column of data.text"),
        ({"text": ["a", "b", "c"]}, "data.text=[a,b,c] are 3 columns"),
        ({"text": []}, "data.text is empty"),
        ({"text": ""}, "data.text is empty"),
        ({"format": "xml"}, "data.format=xml"),
        ({"separator": "||"}, "data.separator=||"),
        ({"separator": '"'}, 'data.separator="'),
        ({"label_separator": ""}, "data.label_separator is empty"),
        ({"encoding": "utf9"}, "data.encoding=utf9"),
        ({"on_error": "replace"}, "set data.on_error to strict or skip"),
        ({"split": {"valid": 0.1}}, "data.split.valid"),
        ({"val_path": "nowhere.csv"}, "data.val_path=nowhere.csv does not exist"),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    assert expected in complaint(tmp_path, csv_of(ROWS), **changes)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"data\.path"):
        table(None)
    assert "data.format=auto knows no .txt" in complaint(tmp_path, csv_of(ROWS), "a.txt")
    written(tmp_path / "folder/a.txt", "text")
    with pytest.raises(Mistake, match=r"a folder without \.csv or \.tsv or .* files"):
        table(tmp_path / "folder")
    path = written(tmp_path / "folder/a.csv", csv_of(ROWS))
    with pytest.raises(Mistake, match="no files but those of validation"):
        table(tmp_path / "folder", val_path=str(path))


def test_a_split_without_examples_of_its_own_is_empty(tmp_path: Path) -> None:
    split: Split = "test"
    assert list(table(written(tmp_path / "a.csv", csv_of(ROWS)), split={"val": 0.2}).read(split)) == []
