"""Answers in words as a user has them: trained, asked by every model that writes, refused where parts do not fit."""

import json
import re

import pytest

from lmlab import cli
from lmlab.run.store import find

SMALL = (
    "task=generative_question_answering", "data=squad_files", "logger=none", "model.dim=16", "tokenizer=char",
    "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=16", "trainer.max_epochs=2", "trainer.val_check_interval=5",
    "checkpoint.every=3", "batch.seq_len=60", "decoding.max_tokens=6",
)  # fmt: skip


@pytest.fixture(scope="module")
def squad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squad")
    for split, first, number in (("train", 0, 40), ("dev", 40, 10), ("test", 50, 10)):
        articles = [article(place) for place in range(first, first + number)]
        (folder / f"{split}.json").write_text(json.dumps({"data": articles}), encoding="utf-8")
    return folder


def article(number):
    """A question that the context answers, one with an answer in other words, one without any."""
    name = f"Ann{number % 9}"
    asked = [
        {"id": f"{number}a", "question": "who slept?", "answers": [{"text": name, "answer_start": 0}]},
        {"id": f"{number}b", "question": "who ate?", "answers": [], "is_impossible": True},
    ]
    return {"title": str(number), "paragraphs": [{"context": f"{name} slept.", "qas": asked}]}


@pytest.fixture(scope="module")
def run(squad):
    output = squad / "runs"
    assert cli.run(["train", *SMALL, f"data.root={squad}", f"output_dir={output}"]) == 0
    return find("latest", output)


FIGURES = {"loss", "exact_match", "f1", "answerable_exact_match", "answerable_f1", "no_answer_exact_match"}


def test_a_run_ends_with_scores_baselines_and_answers(run):
    assert {f"{split}/{name}" for split in ("val", "test") for name in FIGURES} <= set(run.summary)
    found = run.summary["baselines"]
    assert set(found) == {"most frequent answer", "no answer", "best sentence", "what follows the longest match"}
    assert found["most frequent answer"]["exact_match"] == pytest.approx(0.5)
    assert found["most frequent answer"]["no_answer_exact_match"] == 1
    assert run.texts()["final"].count("-> ") == 3
    said = json.loads((run.path / "predictions_test.json").read_text())
    assert set(said) == {f"{number}{letter}" for number in range(50, 60) for letter in "ab"}
    lines = [json.loads(line) for line in (run.path / "written_test.jsonl").read_text().splitlines()]
    assert lines[1]["source"] == "who ate?\nAnn5 slept."
    assert lines[1]["references"] == [""]


def test_predict_and_generate_answer_a_question_about_a_context(run, tmp_path, capsys):
    assert cli.run(["predict", str(run.path), "text=who slept?", "second=Ann3 slept."]) == 0
    alone = capsys.readouterr().out
    assert len(alone.splitlines()) == 1
    (tmp_path / "asked.txt").write_text("who slept?\tAnn3 slept.\nwho ate?\tBob ate.\n")
    assert cli.run(["predict", str(run.path), f"path={tmp_path / 'asked.txt'}"]) == 0
    found = capsys.readouterr().out.splitlines(keepends=True)
    assert (len(found), found[0]) == (2, alone)
    assert cli.run(["generate", str(run.path), "prompt=who slept?\tAnn3 slept."]) == 0
    assert capsys.readouterr().out == alone
    assert cli.run(["generate", str(run.path), "prompt=who slept?\tAnn3 slept.", "num_beams=3", "num=3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "text=who slept?"], "there is not one question and one context"),
        (["generate", "prompt=who slept?"], "is not a question with its context; write the question, a tab"),
    ],
)
def test_a_question_without_a_context_is_refused(run, words, said, capsys):
    assert cli.run([words[0], str(run.path), *words[1:]]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["data=dates"],
            "data=dates is not for task=generative_question_answering, which needs examples of the type Question",
        ),
        (["batch=questions"], "batch=questions is not for task=generative_question_answering; choose source_target"),
        (["head=span"], "head=span is not for task=generative_question_answering; choose "),
        (["monitor=val/answerable"], "monitor=val/answerable is not measured"),
        (["samples.prompt=who?"], "samples.prompt=who? is not a question with its context"),
    ],
)
def test_what_does_not_fit_is_refused(squad, tmp_path, words, said, capsys):
    group = words[0].split("=")[0]
    kept = [word for word in (*SMALL, f"data.root={squad}") if not word.startswith((f"{group}.", f"{group}="))]
    assert cli.run(["train", *kept, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["model=transformer"], ["model=t5_small"], ["model=lstm"], ["model=seq2seq", "head=pointer"]]
)
def test_every_model_that_writes_is_taken(squad, words, capsys):
    kept = [word for word in SMALL if not word.startswith("model.")]
    head = [] if "head=pointer" in words else ["head=next_token"]
    assert cli.run(["check", *kept, f"data.root={squad}", *words, *head, "model.dim=64"]) == 0, capsys.readouterr().err
    assert re.search("parameters", capsys.readouterr().out)
