"""Tagging as a user does it: trained, continued after a kill, asked for tags, refused where parts do not fit."""

import json
import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

SMALL = (
    "task=tagging", "data=columns", "logger=none", "model.dim=16", "model.num_layers=1", "head=crf", "tokenizer.min_count=1",
    "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=16", "trainer.max_epochs=4", "trainer.val_check_interval=5",
    "checkpoint.every=3", "batch.seq_len=16",
)  # fmt: skip


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """Names of one or two words after a verb, which are no names elsewhere; some sentences are longer than an input."""
    path = tmp_path_factory.mktemp("columns") / "sentences.conll"
    sentences = []
    for number in range(120):
        words = [("we", "O"), ("met", "O"), (f"n{number % 9}", "B-PER"), (f"n{number % 7}", "I-PER")][: 3 + number % 2]
        words += [("and", "O"), (f"n{number % 5}", "O")] * (12 if number % 30 == 1 else 1)
        sentences.append("".join(f"{word} {tag}\n" for word, tag in words))
    path.write_text("\n".join(sentences), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(columns):
    output = columns.parent / "runs"
    assert cli.run(["train", *SMALL, f"data.path={columns}", f"output_dir={output}"]) == 0
    return find("latest", output)


def test_a_run_ends_with_scores_baselines_and_sentences_with_their_tags(run, capsys):
    scores = {"loss", "accuracy", "macro_f1", "span_precision", "span_recall", "span_f1"}
    assert {f"{split}/{name}" for split in ("val", "test") for name in scores} <= set(run.summary)
    assert set(run.summary["baselines"]) == {"most frequent tag", "most frequent tag of each word"}
    assert run.texts()["final"].count("tags right") == 3
    assert "met/O" in run.texts()["final"]
    assert json.loads((run.path / "labels.json").read_text())["labels"] == ["B-PER", "I-PER", "O"]
    assert cli.run(["train", *run.manifest["overrides"]]) == 0
    assert "accuracy of most frequent tag of each word" in capsys.readouterr().out


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=val"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for name in ("val/accuracy", "val/span_f1"):
        assert float(found[name]) == pytest.approx(run.summary[name], abs=1e-4)


def test_figures_follow_from_what_is_kept_by_example(run, adds_up):
    assert adds_up(run)[1] == {"span_f1", "accuracy"}


def test_predict_gives_each_word_a_tag(run, tmp_path, capsys):
    assert cli.run(["predict", str(run.path), "text=we met Zoë and n1"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [word for word, _ in lines] == ["we", "met", "Zoë", "and", "n1"]
    assert {tag for _, tag in lines} <= {"B-PER", "I-PER", "O"}
    long = tmp_path / "long.txt"
    long.write_text(" ".join(["we"] * 40) + "\n\nwe met\r\n")
    assert cli.run(["predict", str(run.path), f"path={long}"]) == 0
    sentences = capsys.readouterr().out.split("\n\n")
    assert [len(one.splitlines()) for one in sentences] == [40, 2]


def test_predict_has_the_words_of_python_where_the_data_are_python(tmp_path, capsys):
    words = [word for word in SMALL if not word.startswith(("data", "trainer.max", "tokenizer", "batch.seq_len"))]
    small = ["data.num_words=40000", "data.split.val=0.2", "data.split.test=0.2", "trainer.max_steps=2"]
    small += ["batch.seq_len=64", f"output_dir={tmp_path}"]
    assert cli.run(["train", *words, *small]) == 0
    assert "most frequent tag of each word" in capsys.readouterr().out
    assert cli.run(["predict", str(find("latest", tmp_path).path), "text=def f(x): return x"]) == 0
    found = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert found == ["def", "f", "(", "x", ")", ":", "return", "x"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict"], "lmlab predict takes a text or a file of them"),
        (["predict", "text=a", "second=b"], "second='b' is for pairs of texts"),
        (["predict", "text=  "], "there is no word to tag"),
        (["predict", "path=/nowhere/a.txt"], "cannot be read as UTF-8 text"),
        (["generate", "prompt=a"], "writes no text: it was not trained with task=language_modeling"),
    ],
)
def test_what_a_tagger_cannot_do_is_said_in_a_sentence(run, words, said, capsys):
    assert cli.run([words[0], str(run.path), *words[1:]]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data=stdlib"], "data=stdlib is not for task=tagging, which needs examples of the type Tagged; choose "),
        (["head=mean"], "head=mean is not for task=tagging; choose crf, per_token"),
        (["batch=labelled"], "batch=labelled is not for task=tagging; choose tagged"),
        (["trainer.max_tokens=1000"], "trainer.max_tokens"),
        (["batch.seq_len=2"], "batch.seq_len=2 has no room for a word"),
        (["monitor=val/span_f"], "did you mean val/span_f1"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(columns, tmp_path, words, said, capsys):
    kept = [word for word in SMALL if word.split("=")[0] != words[0].split("=")[0]]
    path = [] if words[0].startswith("data=") else [f"data.path={columns}"]
    assert cli.run(["train", *kept, *path, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


@pytest.mark.parametrize(
    "chosen", ["tokenizer=char", "tokenizer=byte", "model=cnn", "model=transformer", "optimizer=muon"]
)
def test_what_is_chosen_instead_of_a_default_takes_its_own_keys(columns, tmp_path, chosen, capsys):
    words = [word for word in SMALL if not word.startswith((chosen.split("=")[0], "batch.seq_len"))]
    words += ["model.attention.num_heads=2", "model.dim=16"] if chosen == "model=transformer" else []
    words += ["trainer.max_steps=2", f"data.path={columns}", f"output_dir={tmp_path}"]
    assert cli.run(["train", *words, chosen]) == 0, capsys.readouterr().err


def test_killed_and_resumed_it_ends_with_the_same_bits(columns, tmp_path):
    chosen = [
        *SMALL,
        f"data.path={columns}",
        f"project={torture.PROJECT}",
        "trainer.max_epochs=8",
        "trainer.log_every=1",
    ]
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 14)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
