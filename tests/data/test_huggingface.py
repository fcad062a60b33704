"""Data sets in the layout of the Hugging Face hub: every kind of file, of example and of split; what is missing is said."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lmlab.data.huggingface import HuggingFace
from lmlab.examples import Answer, Conversation, Labelled, Question, SourceTarget, Tagged
from lmlab.types import SPLITS, Mistake, Source, Text

datasets = pytest.importorskip("datasets", reason="needs the library datasets: pip install 'lmlab[hub]'")
VALUES = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf/data/huggingface.yaml").read_text())
ROWS = [{"text": f"text number {number}\n", "label": number % 2, "other": number} for number in range(60)]


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def make(path=None, **values):
        own = {key: value for key, value in VALUES.items() if not key.startswith("_")}
        path = None if path is None else str(path)
        return HuggingFace(**{**own, "cache_dir": str(tmp_path / "cache"), "path": path, **values})

    return make


def table(rows=ROWS, **columns):
    found = datasets.Dataset.from_list(rows)
    for name, feature in columns.items():
        found = found.cast_column(name, feature)
    return found


def folder(tmp_path, rows=ROWS, **columns):
    """As the hub has it: two shards of train, one of validation."""
    whole = table(rows, **columns)
    data = tmp_path / "set" / "data"
    data.mkdir(parents=True)
    for number in range(2):
        whole.select(range(number * 20, number * 20 + 20)).to_parquet(data / f"train-0000{number}-of-00002.parquet")
    whole.select(range(40, len(whole))).to_parquet(data / "validation-00000-of-00001.parquet")
    return data.parent


def every(source):
    return {split: list(source.read(split)) for split in SPLITS}


@pytest.mark.parametrize("streaming", [False, True])
def test_a_folder_of_parquet_is_read_by_its_splits(tmp_path, build, streaming):
    source = build(folder(tmp_path), streaming=streaming)
    assert isinstance(source, Source)
    assert source.example is Text
    found = every(source)
    assert {split: len(own) for split, own in found.items()} == {"train": 40, "val": 20, "test": 0}
    assert found["train"][21] == Text("text number 21\n")
    assert every(source) == found


def test_splits_that_are_missing_are_cut_from_train_by_the_text(tmp_path, build):
    source = build(folder(tmp_path), split={"val": 0.1, "test": 0.3})
    found = every(source)
    assert len(found["val"]) == 20
    assert len(found["train"]) + len(found["test"]) == 40
    assert len(found["test"]) > 4
    assert source.fingerprint() != build(folder(tmp_path / "b")).fingerprint()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "arrow", "saved", "parquet"])
def test_every_format_gives_the_same_examples(tmp_path, build, kind):
    path, rows = tmp_path / f"rows.{kind}", table()
    if kind == "jsonl":
        rows.to_json(path)
    elif kind == "csv":
        rows.to_csv(path, index=False)
    elif kind == "parquet":
        rows.to_parquet(path)
    else:
        rows.save_to_disk(path)
        path = path if kind == "saved" else next(path.glob("*.arrow"))
    found = every(build(path, split={"val": 0.2, "test": 0.0}))
    assert sorted(one.text for own in found.values() for one in own) == sorted(row["text"] for row in ROWS)
    assert len(found["val"]) > 4


def test_names_of_classes_are_labels_and_rows_without_one_are_left_out(tmp_path, build):
    rows = [{**row, "label": -1 if row["other"] == 3 else row["label"]} for row in ROWS]
    source = build(folder(tmp_path, rows, label=datasets.ClassLabel(names=["bad", "good"])), label="label")
    assert source.example is Labelled
    found = list(source.read("train"))
    assert len(found) == 39
    assert found[:2] == [Labelled(("text number 0\n",), ("bad",)), Labelled(("text number 1\n",), ("good",))]
    pairs = build(tmp_path / "set", text=["text", "text"], label="other")
    assert next(pairs.read("val")) == Labelled(("text number 40\n", "text number 40\n"), ("40",))


def test_pairs_tags_questions_and_conversations(tmp_path, build):
    rows = [
        {
            "translation": {"en": f"one {n}", "de": f"eins {n}"},
            "tokens": ["Ann", f"{n}"],
            "ner_tags": [1, 0],
            "question": "who?",
            "context": f"Ann {n} slept",
            "answers": {"text": ["Ann"], "answer_start": [0]},
            "id": f"q{n}",
            "messages": [{"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": f"{n}"}],
        }
        for n in range(41)
    ]
    path = folder(tmp_path, rows, ner_tags=datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER"])))
    wanted = {
        "source": SourceTarget("one 40", ("eins 40",)),
        "tokens": Tagged(("Ann", "40"), ("B-PER", "O")),
        "question": Question("q40", "who?", "Ann 40 slept", (Answer("Ann", 0),)),
    }
    keys = {
        "source": {"source": "translation.en", "target": "translation.de"},
        "tokens": {"tokens": "tokens", "tags": "ner_tags"},
        "question": {"question": "question"},
    }
    for name, expected in wanted.items():
        assert list(build(path, **keys[name]).read("val")) == [expected]
    chat = next(build(path, messages="messages").read("val"))
    assert isinstance(chat, Conversation)
    assert [(turn.header, turn.text) for turn in chat.turns] == [("user: ", "say 40"), ("assistant: ", "40")]


def test_a_card_says_which_files_are_a_configuration(tmp_path, build):
    path = folder(tmp_path)
    table([{"text": "other"}] * 9).to_parquet(path / "other.parquet")
    files = {"big": "data/train-*", "small": "other.parquet"}
    configs = [{"config_name": name, "data_files": [{"split": "train", "path": own}]} for name, own in files.items()]
    (path / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n# A set\n")
    assert {one.text for one in build(path, config="small").read("train")} <= {"other"}
    assert build(path, config="big").fingerprint() != build(path, config="small").fingerprint()
    for values in ({}, {"config": "medium"}):
        with pytest.raises(Mistake, match=r"set data\.config to one of big, small"):
            next(build(path, **values).read("train"))


def test_what_is_missing_is_said_with_what_there_is(tmp_path, build):
    path = folder(tmp_path)
    with pytest.raises(Mistake, match=r"no column body; set data\.text to one of text, label, other"):
        next(build(path, text="body").read("train"))
    with pytest.raises(Mistake, match=r"set data\.splits\.val to one of train, validation"):
        next(build(path, splits={"val": "dev"}).read("train"))
    with pytest.raises(Mistake, match=r"one of data\.name"):
        build()
    with pytest.raises(Mistake, match=r"does not exist"):
        build(tmp_path / "nowhere")
    with pytest.raises(Mistake, match=r"set data\.target to a column"):
        build(path, source="text")
    with pytest.raises(Mistake, match=r"row 1 of train has for a text what is none: 0"):
        next(build(path, text="other").read("train"))


FAULTS = {
    "an answer elsewhere": (
        {"text": ["slept"], "answer_start": [0]},
        "has the answer 'slept', which does not stand at 0",
    ),
    "answers without places": ({"text": ["Ann", "Ann"], "answer_start": [0]}, "has 2 answers and 1 places"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_row_is_named_or_left_out_and_told(tmp_path, build, name, caplog):
    answers, said = FAULTS[name]
    rows = [
        {"question": "who?", "context": f"Ann {n} slept", "answers": {"text": ["Ann"], "answer_start": [0]}}
        for n in range(41)
    ]
    rows[40]["answers"] = answers
    path = folder(tmp_path, rows)
    with pytest.raises(Mistake, match=rf"row 1 of validation {said}.*data\.on_error=skip"):
        list(build(path, question="question").read("val"))
    source = build(path, question="question", on_error="skip")
    assert [len(list(source.read(split))) for split in ("train", "val")] == [40, 0]
    assert f"validation: 1 row was left out: row 1 {said}" in caplog.text
    assert source.fingerprint() != build(path, question="question").fingerprint()


def test_without_a_network_one_sentence_says_what_to_do(build):
    with pytest.raises(Mistake, match=r"data\.name=nobody/nothing was not found .* set data\.path to a folder"):
        next(build(name="nobody/nothing").read("train"))


def test_equal_content_has_an_equal_hash_wherever_it_lies(tmp_path, build):
    path = folder(tmp_path)
    moved = Path(shutil.copytree(path, tmp_path / "elsewhere"))
    (moved / ".hidden").write_text("no part of it")
    assert build(path).fingerprint() == build(moved).fingerprint()
    assert build(path).fingerprint() != build(path, label="label").fingerprint()
    table(ROWS[:30]).to_parquet(moved / "data/train-00000-of-00002.parquet")
    assert build(path).fingerprint() != build(moved).fingerprint()
    for name in ("one", "two"):
        table().save_to_disk(tmp_path / name)
    assert build(tmp_path / "one").fingerprint() == build(tmp_path / "two").fingerprint()


PREPARE = """
import resource, sys
from pathlib import Path
import yaml
from lmlab.data.huggingface import HuggingFace
from lmlab.tokenizer import arrays as module
from lmlab.tokenizer.byte import Byte
values = {key: value for key, value in yaml.safe_load(Path(sys.argv[1]).read_text()).items() if not key.startswith("_")}
source = HuggingFace(**{**values, "path": sys.argv[2], "cache_dir": sys.argv[3], "streaming": True})
module.BLOCK_CHARACTERS = 2**19
arrays = module.token_arrays(source, Byte(), Path(sys.argv[3]))
print(arrays.meta["splits"]["train"]["tokens"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux alone")
def test_of_what_is_streamed_no_more_than_a_shard_is_held(tmp_path):
    conf = Path(__file__).resolve().parents[2] / "conf/data/huggingface.yaml"
    found = []
    for shards in (3, 21):
        folder = tmp_path / f"of {shards}"
        folder.mkdir()
        for shard in range(shards):
            rows = {"text": [f"{shard:>4}{number:>4} " + "some more words " * 511 for number in range(128)]}  # 1 MiB
            datasets.Dataset.from_dict(rows).to_parquet(folder / f"train-{shard:05}-of-{shards:05}.parquet")
        call = [sys.executable, "-c", PREPARE, str(conf), str(folder), str(tmp_path / f"cache{shards}")]
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=dict(os.environ))
        tokens, peak = map(int, done.stdout.split())
        assert tokens > 0.9 * shards * 2**20
        found.append(peak / 1024)
    assert found[1] - found[0] < 9, found  # MiB, for 18 MiB more of text


def test_lmlab_is_imported_without_the_library():
    assert importlib.util.find_spec("datasets") is not None
    said = "import sys, lmlab.data.huggingface; print('datasets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
