"""Every option of data that reads files: what is wrong with a file is one sentence with its place, or is left out and told."""

import gzip
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lmlab import config, values
from lmlab.types import SPLITS, Mistake, Source

CONF = Path(__file__).parents[2] / "conf/data"
NUM = 60
TEXTS = [f"wörd{number} und {number * 7 % 31} mehr {number}" for number in range(NUM)]


@dataclass(frozen=True)
class Reader:
    """How a user writes the files of an option."""

    name: str
    """Of the file."""
    lines: Sequence[str]
    overrides: tuple[str, ...] = ()
    key: str = "data.path"
    parts_lines: bool = True
    """Whether a fault in a line is one example's."""
    has_header: bool = False


def _table(separator: str, columns: tuple[str, str]) -> list[str]:
    return [separator.join(columns), *(f"{text}{separator}{'ab'[place % 2]}" for place, text in enumerate(TEXTS))]


def _tagged(form: str) -> list[str]:
    lines = []
    for text in TEXTS:
        lines += [form.format(n, word, "XY"[n % 2]) for n, word in enumerate(text.split(), start=1)] + [""]
    return lines


def _question(number: int, text: str) -> dict[str, object]:
    answers = [{"text": text, "answer_start": 4}]
    row = {"id": str(number), "question": f"which {number}?", "answers": answers}
    return {"title": f"title {number}", "paragraphs": [{"context": f"see {text} there", "qas": [row]}]}


QUESTIONS = [_question(number, text) for number, text in enumerate(TEXTS)]
TURNS = [[{"role": "user", "content": text}, {"role": "assistant", "content": f"say {text}"}] for text in TEXTS]
ALONE = ("data.files.val=null", "data.files.test=null")

READERS = {
    "table": Reader("a.csv", _table(",", ("text", "label")), has_header=True),
    "pair_table": Reader("a.tsv", _table("\t", ("source", "target")), has_header=True),
    "parallel": Reader("a.txt", TEXTS, ("data.target_path={folder}/other.txt",), "data.source_path"),
    "parallel_files": Reader(
        "train.en", TEXTS, ("data.parts.val=null", "data.parts.test=null", "data.split.val=0.2"), "data.root"
    ),
    "columns": Reader("a.conll", _tagged("{1} {2}")),
    "column_files": Reader(
        "train.conllu", _tagged("{0}\t{1}\t_\t{2}\t_\t_\t0\t_\t_\t_"),
        ("data.files={{train:[train.conllu],val:null,test:null}}", "data.format=conllu"), "data.root",
    ),
    "chat": Reader("a.jsonl", [json.dumps({"messages": turns}, ensure_ascii=False) for turns in TURNS]),
    "utterance_files": Reader("train.txt", [f"{text} __eou__ say {text} __eou__" for text in TEXTS], ALONE, "data.root"),
    "labelled_files": Reader("train.tsv", _table("\t", ("text", "label")), ALONE, "data.root", has_header=True),
    "pair_files": Reader("train.tsv", _table("\t", ("source", "target")), ALONE, "data.root", has_header=True),
    "squad_files": Reader(
        "train.json", json.dumps({"data": QUESTIONS}, ensure_ascii=False, indent=0).split("\n"), ALONE, "data.root",
        parts_lines=False,
    ),
    "speech_table": Reader(
        "a.tsv", ["path\ttext", *(f"clip.wav\t{text}" for text in TEXTS)], ("data.sample_rate=8000",), has_header=True
    ),
    "text": Reader("a.txt", TEXTS, parts_lines=False),
    "split_files": Reader(
        "train.txt", TEXTS, (*ALONE, "data.split={{val:0.1,test:0.1}}"), "data.root", parts_lines=False
    ),
}  # fmt: skip

OF_THEIR_OWN = {"labelled_folders", "librispeech", "spoken_digits", "image_table", "huggingface"}
"""Folders in which every file is an example, images with several rows each, files of many forms: see their own tests."""


def _reads_files(path: Path) -> bool:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return "_target_" in content and any(key in content for key in ("path", "source_path", "root"))


def test_every_option_that_reads_files_is_here() -> None:
    assert {path.stem for path in CONF.glob("*.yaml") if _reads_files(path)} == {*READERS} | OF_THEIR_OWN


@pytest.fixture
def build(tmp_path: Path, write_wav: Callable[..., Path]) -> Callable[..., Source]:
    """A source of a file with some content, in a folder with a blank in its name."""

    def made(option: str, content: bytes, *overrides: str) -> Source:
        folder, reader = tmp_path / "my data", READERS[option]
        write_wav(folder / "clip.wav", seconds=0.02)
        (folder / reader.name).write_bytes(content)
        for name in ("other.txt", "train.de"):
            (folder / name).write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
        place = folder if reader.key == "data.root" else folder / reader.name
        own = [one.format(folder=folder) for one in reader.overrides]
        composed = config.compose([f"data={option}", f"{reader.key}={place}", *own, *overrides])
        values.check(composed)
        source: Source = config.build(composed, "data")
        return source

    return made


def content_of(option: str, *, end: str = "\n", encoding: str = "utf-8") -> bytes:
    return (end.join(READERS[option].lines) + end).encode(encoding)


def in_line(option: str, number: int, change: Callable[[str], str]) -> bytes:
    """With another line of this number, from 1."""
    lines = [*READERS[option].lines]
    lines[number - 1] = change(lines[number - 1])
    return ("\n".join(lines) + "\n").encode()


def every(source: Source) -> list[object]:
    source.fingerprint()
    return [one for split in SPLITS for one in source.read(split)]


def size(source: Source) -> int:
    return len(every(source))


def complaint(read: Callable[[], object]) -> str:
    with pytest.raises(Mistake) as caught:
        read()
    return str(caught.value)


OPTIONS = sorted(READERS)
OF_LINES = sorted(option for option, reader in READERS.items() if reader.parts_lines)
WHOLE = {"text": 3, "split_files": 3}
"""How many examples all files make, where it is not one for each text."""


@pytest.mark.parametrize("option", OPTIONS)
def test_byte_order_marks_line_ends_and_encodings_change_nothing(build, option: str) -> None:
    expected = WHOLE.get(option, NUM)
    plain = content_of(option)
    forms = {
        "plain": plain,
        "mark": b"\xef\xbb\xbf" + plain,
        "no last end": plain.rstrip(),
        "gzip": gzip.compress(plain),
    }
    assert {name: size(build(option, content)) for name, content in forms.items()} == dict.fromkeys(forms, expected)
    lines = READERS[option].lines
    mixed = "".join(line + ("\r\n" if place % 2 else "\n") for place, line in enumerate(lines)).encode()
    assert size(build(option, mixed)) == expected
    assert size(build(option, content_of(option, end="\r\n"))) == expected
    for encoding in ("latin-1", "utf-16"):
        if option not in ("parallel", "parallel_files"):  # whose other file is in UTF-8
            again = every(build(option, content_of(option, encoding=encoding), f"data.encoding={encoding}"))
            assert len(again) == expected
            assert "wörd7 " in " ".join(text for one in again for text in one.texts)  # type: ignore[attr-defined]


@pytest.mark.parametrize("on_error", ["strict", "skip"])
@pytest.mark.parametrize("option", OPTIONS)
def test_a_file_that_cannot_be_read_at_all_is_named(build, option: str, on_error: str) -> None:
    reader = READERS[option]
    way = (
        []
        if option == "split_files"
        else ["data.on_error=replace" if option == "text" and on_error == "skip" else f"data.on_error={on_error}"]
    )
    packed = gzip.compress(content_of(option))
    faults = {
        "is a damaged gzip file": packed[: len(packed) // 2],
        "looks like UTF-16; set data.encoding=utf-16": content_of(option, encoding="utf-16"),
        "is empty": b"",
    }
    if reader.parts_lines:
        faults["ends its lines with carriage returns alone"] = content_of(option, end="\r")
    if reader.has_header:
        faults["has a header and no rows"] = reader.lines[0].encode()
    for said, content in faults.items():
        message = complaint(lambda content=content: every(build(option, content, *way)))
        assert said in message
        assert reader.name in message
        assert message.count("\n") == 0


FAULTS = {"NUL": "\0", "other encoding": "\udce9"}
"""What stands in a line that is no text."""


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("option", OF_LINES)
def test_a_line_that_is_no_text_stops_with_its_number_or_is_left_out_and_counted(
    build, option: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    number = next(place for place, line in enumerate(READERS[option].lines, start=1) if "mehr" in line and place > 7)
    lines = [*READERS[option].lines]
    place = lines[number - 1].index("mehr")
    lines[number - 1] = lines[number - 1][:place] + FAULTS[kind] + lines[number - 1][place:]
    content = ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
    message = complaint(lambda: every(build(option, content)))
    assert f"{READERS[option].name}, line {number} " in message
    assert "data.on_error=skip" in message
    with caplog.at_level(logging.WARNING):
        assert size(build(option, content, "data.on_error=skip")) == NUM - 1
    (warning,) = [one.getMessage() for one in caplog.records]
    assert warning.startswith("1 ")
    assert " left out" in warning
    assert READERS[option].name in warning
    assert f"line {number} " in warning


@pytest.mark.parametrize("option", [option for option in OF_LINES if READERS[option].has_header])
def test_a_row_of_too_many_or_too_few_columns_is_told_or_left_out_and_counted(
    build, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    separator = "," if option == "table" else "\t"
    for said, change in (("has 3 columns", f"{{}}{separator}more"), ("has 1 column", "alone")):
        content = in_line(option, 8, change.format)
        message = complaint(lambda content=content: every(build(option, content)))
        assert f"{READERS[option].name}, line 8 {said} in place of 2; correct it" in message
        caplog.clear()
        assert size(build(option, content, "data.on_error=skip")) == NUM - 1
        assert f"line 8 {said}" in caplog.text
    missing = complaint(lambda: every(build(option, in_line(option, 1, lambda line: line.replace("t", "d")))))
    assert "is no column of" in missing
    assert "data.header=false" in missing or "data.layout.header=false" in missing


@pytest.mark.parametrize("option", [option for option in OPTIONS if READERS[option].key == "data.path"])
def test_no_file_of_train_is_one_of_validation_and_equal_ones_are_told(
    build, option: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = content_of(option)
    path = tmp_path / "my data" / READERS[option].name
    message = complaint(lambda: every(build(option, content, f"data.val_path={path}")))
    assert f"data.path={path} has no files but those of validation and test" in message
    twin = tmp_path / "my data" / f"twin{path.suffix}"
    twin.write_bytes(content)
    build(option, content, f"data.val_path={twin}").fingerprint()
    assert f"{twin} of val has the content of {path} of train: it says how well a model remembers" in caplog.text


def test_the_halves_of_a_parallel_text_are_not_those_of_validation(build, tmp_path: Path) -> None:
    same = [
        f"data.val_{side}_path={tmp_path}/my data/{name}"
        for side, name in (("source", "a.txt"), ("target", "other.txt"))
    ]
    message = complaint(lambda: every(build("parallel", content_of("parallel"), *same)))
    assert "a.txt is a file of train and of val; give val another one, or none" in message


@pytest.mark.parametrize("option", [option for option in OPTIONS if READERS[option].key == "data.path"])
def test_a_link_that_leads_nowhere_is_told_and_not_passed_over(build, option: str, tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    suffix = Path(READERS[option].name).suffix
    (folder / f"lost{suffix}").symlink_to(folder / "gone")
    message = complaint(lambda: build(option, content_of(option), f"data.path={folder}"))
    assert f"lost{suffix} is a link to {folder}/gone, which does not exist" in message
    message = complaint(lambda: build(option, content_of(option), f"data.path={folder}/lost{suffix}"))
    assert f"lost{suffix} does not exist: it is a link to {folder}/gone; set data.path" in message


def test_a_list_in_json_is_not_taken_for_lines(build) -> None:
    for indent in (None, 1):
        rows = json.dumps([{"messages": turns} for turns in TURNS], indent=indent).encode()
        assert "is one list in JSON; write every object" in complaint(lambda rows=rows: every(build("chat", rows)))


def test_what_is_replaced_in_a_text_is_counted_once(build, caplog: pytest.LogCaptureFixture) -> None:
    content = content_of("text", encoding="latin-1")
    assert "a.txt, line 1 is not utf-8: byte 0xf6" in complaint(lambda: every(build("text", content)))
    assert size(build("text", content, "data.on_error=replace")) == 3
    assert caplog.text.count("stands for what is not in 60 places of the file") == 1
