"""One's own tagged sentences: what is read of columns and of CoNLL-U, schemes, and every mistake with its line."""

import logging

import pytest

from lmlab.data.columns import Columns
from lmlab.types import Mistake, Source

SENTENCES = "Ann NNP B-PER\nLee NNP I-PER\nran VBD O\n\nto TO O\nRome NNP B-LOC\n"


def made(path, **values):
    defaults = {
        "val_path": None, "test_path": None, "split": {"val": 0.0, "test": 0.0}, "format": "auto", "word": None, "tag": None,
        "separator": None, "comment": None, "scheme": "auto", "to_scheme": None, "encoding": "utf-8", "on_error": "strict",
        "cache_dir": str(path.parent / "cache"),
    }  # fmt: skip
    return Columns(path=str(path), **defaults | values)


@pytest.fixture
def write(tmp_path):
    """A training file, and beside it one of validation: the same, or another."""

    def write(text, val=None, name="train.conll"):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        (tmp_path / f"val.{name}").write_text(text if val is None else val, encoding="utf-8", newline="")
        return {"path": tmp_path / name, "val_path": str(tmp_path / f"val.{name}")}

    return write


def read(source, split="train"):
    return [(" ".join(one.words), " ".join(one.tags)) for one in source.read(split)]


@pytest.mark.parametrize(
    "text",
    [
        SENTENCES,
        SENTENCES.replace("\n", "\r\n"),
        SENTENCES.replace(" ", "\t"),
        "\n\n" + SENTENCES.replace("\n\n", "\n  \n\n"),
        "-DOCSTART- -X- O\n\n" + SENTENCES.replace("\n\n", "\n-DOCSTART- -X- O\n"),
        "\ufeff" + SENTENCES.rstrip("\n"),
    ],
    ids=["plain", "crlf", "tabs", "blanks", "documents", "mark"],
)
def test_a_token_a_line_and_an_empty_line_between_sentences(write, text):
    source = made(**write(text))
    assert isinstance(source, Source)
    assert read(source) == read(source, "val") == [("Ann Lee ran", "B-PER I-PER O"), ("to Rome", "O B-LOC")]


def test_columns_are_chosen(write):
    assert read(made(**write(SENTENCES), tag=1))[1] == ("to Rome", "TO NNP")
    assert read(made(**write(SENTENCES), word=1, tag=0))[1] == ("TO NNP", "to Rome")
    text = "New York\tB-LOC\nis\tO\n"
    assert [one.words for one in made(**write(text), separator="tab").read("train")] == [("New York", "is")]
    assert read(made(**write("# c\na X\n# d\nb Y\n"), comment="#")) == [("a b", "X Y")]
    assert read(made(**write("# Z\na X\n"))) == [("# a", "Z X")]


def test_conllu_has_comments_and_lines_that_are_no_words(write):
    rows = [
        "# text = vámonos ya", "1-2\tvámonos\t_\t_", "1\tvamos\tir\tVERB", "2\tnos\tnosotros\tPRON", "2.1\tx\ty\tNOUN",
        "3\tya\tya\tADV", "", "# more", "1\tSí\tsí\tINTJ", "",
    ]  # fmt: skip
    files = write(
        "\n".join("\t".join([row, *["_"] * 6]) if row[:1].isdigit() else row for row in rows), name="a.conllu"
    )
    assert read(made(**files)) == [("vamos nos ya", "VERB PRON ADV"), ("Sí", "INTJ")]


def test_sentences_of_equal_words_stay_together_and_none_is_lost(write):
    text = "\n\n".join(f"w{number % 40} X\nv Y" for number in range(80)) + "\n"
    source = made(write(text)["path"], split={"val": 0.3, "test": 0.2})
    found = {split: read(source, split) for split in ("train", "val", "test")}
    assert sum(map(len, found.values())) == 80
    assert all(found.values())
    assert not {*found["train"]} & {*found["val"], *found["test"]}


def test_spans_are_written_in_another_scheme(write):
    assert read(made(**write(SENTENCES), to_scheme="iobes")) == [
        ("Ann Lee ran", "B-PER E-PER O"),
        ("to Rome", "O S-LOC"),
    ]
    iob1 = SENTENCES.replace("B-", "I-")
    assert read(made(**write(iob1)))[0] == ("Ann Lee ran", "I-PER I-PER O")
    assert read(made(**write(iob1), to_scheme="iob2"))[0] == ("Ann Lee ran", "B-PER I-PER O")


WRONG = SENTENCES + "\nin IN O\nOslo NNP I-LOC\n"


def test_an_inside_without_a_beginning_is_told_or_read_as_conlleval_does(write, caplog):
    files = write(WRONG)
    with pytest.raises(Mistake, match=r"line 9 has the tag I-LOC where iob2 has B-LOC; .* data\.on_error=repair"):
        read(made(**files))
    with caplog.at_level(logging.WARNING):
        assert read(made(**files, on_error="repair"))[2] == ("in Oslo", "O B-LOC")
    assert "2 sentences were given other tags" in caplog.text
    assert len(read(made(**files, on_error="skip"))) == 2
    assert read(made(**files, scheme="none"))[2] == ("in Oslo", "O I-LOC")


@pytest.mark.parametrize(
    ("text", "val", "values", "said"),
    [
        ("a X\nb Y Z\n", None, {}, r"line 2 has 3 columns in place of 2"),
        ("a X\nb\n", None, {}, r"line 2 has 1 column in place of 2"),
        ("a\nb\n", None, {}, r"has one column, and a word and a tag are two"),
        ("a\tX\n\tY\n", None, {"separator": "tab"}, r"line 2 has no word"),
        ("a X\nb Y\n", "c Z\n", {}, r"line 1 has the tag Z, which no training sentence has"),
        ("a X\nb X\n", None, {}, r"every training word has the tag X"),
        ("\n\n", None, {}, r"train\.conll is empty; give a file with a token a line"),
        ("a X\nb Y\n", "\n", {}, r"val\.train\.conll is empty; give a file with a token a line"),
        ("a X\nb Y\n", "-DOCSTART- X\n", {}, "no sentence of val is left"),
        ("a X\rb Y\r", None, {}, "ends its lines with carriage returns alone"),
        (
            "a X\nb Y\n",
            None,
            {"tag": 2},
            r"data\.tag=2 is no column of .* have 2; set data\.tag to a number from 0 to 1",
        ),
        ("a X\nb Y\n", None, {"tag": 0}, r"data\.word=0 and data\.tag=0 are one column"),
        ("a X\nb Y\n", None, {"scheme": "bio"}, r"data\.scheme=bio is not known"),
        ("a X\nb Y\n", None, {"to_scheme": "iob2"}, r"data\.to_scheme=iob2 is for tags of spans"),
        ("a X\nb Y\n", None, {"scheme": "iob2"}, r"line 1 has the tag X, which is none of iob2"),
        ("a B-X\nb I-X\nc X\nd O\n", None, {}, r"line 3 has the tag X, while most others are of spans"),
        ("a X\nb Y\n", None, {"format": "xml"}, r"data\.format=xml is not known"),
        ("a X\nb Y\n", None, {"on_error": "replace"}, r"data\.on_error=replace is not known"),
        ("a X\nb Y\n", None, {"comment": ""}, r"data\.comment is empty"),
        ("a X\n\0 Y\n", None, {}, r"line 2 holds a NUL byte"),
    ],
)
def test_every_mistake_is_a_sentence_with_its_place(write, text, val, values, said):
    with pytest.raises(Mistake, match=said):
        read(made(**write(text, val), **values))


def test_faulty_sentences_are_left_out_and_counted(write, caplog):
    with caplog.at_level(logging.WARNING):
        source = made(**write("a X\nb Y Z\nc\n\nd X\ne Y\n", "d X\nf Q\n\ng X\n"), on_error="skip")
        assert read(source) == [("d e", "X Y")]
        assert read(source, "val") == [("g", "X")]
    assert "2 sentences were left out" in caplog.text
    assert "line 2 has 3 columns" in caplog.text
    assert "has the tag Q" in caplog.text


def test_no_path_and_no_validation_are_said(tmp_path, write):
    with pytest.raises(Mistake, match=r"needs data\.path"):
        Columns(**{**vars_of(made), "path": None})
    with pytest.raises(Mistake, match=r"data\.split\.val=0 leaves no validation"):
        made(write(SENTENCES)["path"])


def vars_of(_):
    return {
        "val_path": None, "test_path": None, "split": {"val": 0.1}, "format": "auto", "word": None, "tag": None,
        "separator": None, "comment": None, "scheme": "auto", "to_scheme": None, "encoding": "utf-8", "on_error": "strict",
        "cache_dir": None,
    }  # fmt: skip


def test_the_fingerprint_is_of_content_and_of_how_it_is_read(write, tmp_path):
    files = write(SENTENCES)
    assert made(**files).fingerprint() == made(**files).fingerprint()
    moved = tmp_path / "moved.conll"
    moved.write_text(SENTENCES)
    assert made(moved, val_path=files["val_path"]).fingerprint() == made(**files).fingerprint()
    for values in ({"tag": 1}, {"to_scheme": "iobes"}, {"on_error": "skip"}, {"scheme": "none"}):
        assert made(**files, **values).fingerprint() != made(**files).fingerprint()
