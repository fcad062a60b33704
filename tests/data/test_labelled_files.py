"""Published data sets of classification: where they are found, how their files are read, and what is in them."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lmlab import config, values
from lmlab.examples import Labelled
from lmlab.types import SPLITS, Mistake, Source

CONF = Path(__file__).parents[2] / "conf/data"
DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))
PRESETS = sorted(
    path.stem
    for path in CONF.glob("*.yaml")
    if "labelled_files" in yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", [])
)


def build(name: str, root: Path | None, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose([f"data={name}", *([f"data.root={root}"] if root else []), *overrides])
    values.check(composed)
    source: Source = config.build(composed, "data")
    return source


def counts(source: Source, split: str) -> dict[str, int]:
    """How often each label stands in a split."""
    return dict(Counter(example.labels[0] for example in source.read(split)))  # type: ignore[arg-type]


def wanted(preset: str) -> Iterator[str]:
    """The first name of each split's file."""
    for options in config.compose([f"data={preset}"]).data.files.values():
        if options:
            yield from [options[0]] if isinstance(options[0], str) else options[0]


def written(path: Path, content: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMLAB_DATA", raising=False)


def test_the_presets_are_found_by_their_parent() -> None:
    assert len(PRESETS) == 10


@pytest.mark.parametrize("preset", PRESETS)
def test_missing_data_says_which_file_is_needed_and_where_people_get_it(tmp_path: Path, preset: str) -> None:
    origin = config.compose([f"data={preset}"]).data.origin
    for root in (None, tmp_path):
        with pytest.raises(Mistake) as caught:
            build(preset, root)
        message = str(caught.value)
        assert origin in message
        assert "data.root or LMLAB_DATA" in message
        assert all(name in message for name in wanted(preset))
    assert str(tmp_path) in message


TOPICS = ["World", "Sports", "Business", "Sci/Tech"]
NEWS = "".join(f'"{number % 4 + 1}","Title {number}","It costs \\$5 ""now""\\in town."\n' for number in range(80))
"""In the form of AG News: labels are numbers from 1, a backslash is a line break, but before a dollar sign."""


def test_ag_news_joins_title_and_description_and_reads_backslashes_as_line_breaks(tmp_path: Path) -> None:
    for name in ("train", "test"):
        written(tmp_path / f"ag_news_csv/{name}.csv", NEWS)
    source = build("ag_news", tmp_path)
    assert next(source.read("test")) == Labelled(('Title 0 It costs $5 "now"\nin town.',), ("World",))
    assert counts(source, "test") == dict.fromkeys(TOPICS, 20)


def test_ag_news_in_its_short_form_stands_in_for_train_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short = "".join(f'"Number" {number}, is\\in\t{TOPICS[number % 4]}\n' for number in range(80))
    written(tmp_path / "classification/ag_news_csv/test.csv", NEWS)
    written(tmp_path / "classification/ag_news_tsv/train_10k.tsv", short)
    source = build("ag_news", tmp_path)
    train = [example for split in ("train", "val") for example in source.read(split)]
    assert len(train) == 80
    assert Labelled(('"Number" 0, is\nin',), ("World",)) in train
    assert "AG News: train.csv is not in" in caplog.text
    caplog.clear()
    written(tmp_path / "classification/ag_news_csv/train.csv", NEWS + NEWS.splitlines()[0] + "\n")
    assert "Title" in next(build("ag_news", tmp_path).read("train")).texts[0]
    assert not caplog.text


QUESTIONS = "".join(f"{['NUM:date', 'NUM:count', 'ENTY:other'][number % 3]} Où  {number} ?\n" for number in range(90))


def test_a_label_may_end_at_a_character_and_the_last_column_hold_the_rest(tmp_path: Path) -> None:
    for name in ("train", "test"):
        written(tmp_path / f"trec/{name}.txt", QUESTIONS, "latin-1")
    assert next(build("trec", tmp_path).read("test")) == Labelled(("Où  0 ?",), ("NUM",))
    assert counts(build("trec", tmp_path), "test") == {"NUM": 60, "ENTY": 30}
    fine = build("trec", tmp_path, "data.label_until=null")
    assert counts(fine, "test") == {"NUM:date": 30, "NUM:count": 30, "ENTY:other": 30}
    assert fine.fingerprint() != build("trec", tmp_path).fingerprint()


def test_thucnews_trains_on_its_validation_file_where_train_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("dev", "test"):
        written(
            tmp_path / f"thucnews/{name}.txt", "".join(f"{name} {number}\t{number % 10}\n" for number in range(200))
        )
    source = build("thucnews", tmp_path)
    parts = [list(source.read(split)) for split in SPLITS]
    assert len(parts[0]) + len(parts[1]) == 200
    assert parts[1]
    assert len(parts[2]) == 200
    assert "train.txt is not in" in caplog.text
    written(tmp_path / "thucnews/train.txt", "".join(f"train {number}\t{number % 10}\n" for number in range(300)))
    source = build("thucnews", tmp_path)
    assert [len(list(source.read(split))) for split in SPLITS] == [300, 200, 200]


def test_a_number_without_a_name_is_refused(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        written(tmp_path / f"thucnews/{name}.txt", "a\t0\nb\t1\nc\t10\n")
    with pytest.raises(
        Mistake, match=r"train\.txt, line 3 has the label 10, which is none of 0, 1, .*data\.label_names"
    ):
        list(build("thucnews", tmp_path).read("train"))


def test_a_file_can_differ_in_its_layout_alone(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"data\.exceptions has encodings"):
        build("sst2", tmp_path, "data.exceptions=[{file: dev.tsv, encodings: comma}]")
    written(
        tmp_path / "train.tsv", "sentence\tlabel\n" + "".join(f"a {number} \t{number % 2}\n" for number in range(90))
    )
    written(tmp_path / "dev.tsv", "a,0\nb,1\n")
    differing = "data.exceptions=[{file: dev.tsv, separator: comma, header: false, text: 0, label: 1}]"
    assert counts(build("sst2", tmp_path, differing), "test") == {"negative": 1, "positive": 1}


def test_two_files_may_make_up_a_split(tmp_path: Path) -> None:
    rows = "".join(f'gj04\t{number % 2}\t\tA "sentence" {number}.\n' for number in range(40))
    for name in ("in_domain_train", "in_domain_dev", "out_of_domain_dev"):
        written(tmp_path / f"CoLA/raw/{name}.tsv", rows)
    assert counts(build("cola", tmp_path), "test") == {"unacceptable": 40, "acceptable": 40}
    (tmp_path / "CoLA/raw/out_of_domain_dev.tsv").unlink()
    with pytest.raises(Mistake, match=r"needs raw/in_domain_dev\.tsv and raw/out_of_domain_dev\.tsv"):
        build("cola", tmp_path)


def test_pairs_with_quotes_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
    rows = "".join(f'{number % 2}\t1\t2\t"It is {number}", he said.\tHe "said so.\r\n' for number in range(60))
    for name in ("train", "test"):
        written(tmp_path / f"MRPC/msr_paraphrase_{name}.txt", header + rows)
    source = build("mrpc", tmp_path)
    assert next(source.read("test")) == Labelled(('"It is 0", he said.', 'He "said so.'), ("different",))
    assert counts(source, "test") == {"different": 30, "paraphrase": 30}


# The data themselves.

HEADLINES = ["finance", "realty", "stocks", "education", "science"]
HEADLINES += ["society", "politics", "sports", "game", "entertainment"]

EXPECTED: dict[str, dict[str, dict[str, int]]] = {
    "ag_news": {
        "train": {"Sci/Tech": 2538, "World": 2509, "Business": 2496, "Sports": 2458},
        "test": dict.fromkeys(TOPICS, 1900),
    },
    "sst2": {"train": {"positive": 37569, "negative": 29780}, "test": {"positive": 444, "negative": 428}},
    "sst2_sentences": {
        "train": {"positive": 3610, "negative": 3310},
        "val": {"positive": 444, "negative": 428},
        "test": {"positive": 909, "negative": 912},
    },
    "sst5": {
        "test": {"very negative": 279, "negative": 633, "neutral": 389, "positive": 510, "very positive": 399},
    },
    "trec": {"test": {"ABBR": 9, "DESC": 138, "ENTY": 94, "HUM": 65, "LOC": 81, "NUM": 113}},
    "thucnews": {split: dict.fromkeys(HEADLINES, 1000) for split in ("train", "test")},
    "chnsenticorp": {
        "train": {"positive": 4799, "negative": 4801},
        "val": {"positive": 593, "negative": 607},
        "test": {"positive": 608, "negative": 592},
    },
    "rte": {
        "train": {"entailment": 1249, "not_entailment": 1241},
        "test": {"entailment": 146, "not_entailment": 131},
    },
    "mrpc": {
        "train": {"paraphrase": 2753, "different": 1323},
        "test": {"paraphrase": 1147, "different": 578},
    },
    "cola": {
        "train": {"acceptable": 6023, "unacceptable": 2528},
        "test": {"acceptable": 365 + 354, "unacceptable": 162 + 162},
    },
}
"""Labels of each split's files: train holds what validation was cut from."""

SIZES = {"sst5": [8544, 1101, 2210], "trec": [5452, 0, 500]}

real_data = pytest.mark.skipif(not DATA.exists(), reason="needs LMLAB_DATA")


@pytest.mark.real_data
@real_data
@pytest.mark.parametrize("preset", PRESETS)
def test_published_data_have_their_published_rows_and_labels(preset: str) -> None:
    source = build(preset, DATA)
    found = {split: counts(source, split) for split in SPLITS}
    expected = EXPECTED[preset]
    assert found["val"], "a part of train, or a file"
    if "val" not in expected and preset != "sst5":
        share = sum(found["val"].values()) / (sum(found["val"].values()) + sum(found["train"].values()))
        assert share == pytest.approx(config.compose([f"data={preset}"]).data.split.val, rel=0.15)
        found["train"] = dict(Counter(found["train"]) + Counter(found["val"]))
        found["val"] = {}
    assert {split: found[split] for split in expected} == expected
    assert preset not in SIZES or [sum(found[split].values()) for split in SPLITS] == SIZES[preset]


@pytest.mark.real_data
@real_data
@pytest.mark.parametrize("preset", PRESETS)
def test_no_text_of_a_validation_part_that_was_cut_from_train_stands_in_train(preset: str) -> None:
    if config.compose([f"data={preset}"]).data.files.val and preset != "thucnews":
        pytest.skip("has a validation file")
    source = build(preset, DATA)
    assert not {one.texts for one in source.read("val")} & {one.texts for one in source.read("train")}


@pytest.mark.real_data
@real_data
def test_the_names_of_numbered_labels_are_those_of_the_files() -> None:
    for preset, file, first in (("ag_news", "ag_news_csv/classes.txt", 1), ("thucnews", "thucnews/class.txt", 0)):
        names = (DATA / "classification" / file).read_text(encoding="utf-8").split("\n")
        numbered = {str(number): name for number, name in enumerate(filter(None, names), start=first)}
        assert dict(config.compose([f"data={preset}"]).data.label_names) == numbered


@pytest.mark.real_data
@real_data
def test_trec_has_fifty_fine_labels_and_letters_beyond_ascii() -> None:
    source = build("trec", DATA, "data.label_until=null")
    train = [one for split in ("train", "val") for one in source.read(split)]
    assert len({one.labels for one in train}) == 50
    assert any("é" in one.texts[0] or "ð" in one.texts[0] for one in train)
