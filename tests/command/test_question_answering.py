"""Answering questions as a user does it: trained, continued after a kill, asked, refused where parts do not fit."""

import json
import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

SMALL = (
    "task=question_answering", "data=squad_files", "logger=none", "model=lstm", "model.dim=16", "model.num_layers=1",
    "tokenizer.min_count=1", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=16", "trainer.max_epochs=2",
    "trainer.val_check_interval=5", "checkpoint.every=3", "batch.seq_len=16", "batch.question_len=4", "batch.stride=5",
)  # fmt: skip


@pytest.fixture(scope="module")
def squad(tmp_path_factory):
    """Who did what, in Chinese as well; some contexts are longer than an input."""
    folder = tmp_path_factory.mktemp("squad")
    for split, first, number in (("train", 0, 40), ("dev", 40, 10), ("test", 50, 10)):
        articles = [article(place) for place in range(first, first + number)]
        (folder / f"{split}.json").write_text(json.dumps({"data": articles}), encoding="utf-8")
    return folder


def article(number):
    """Of one paragraph."""
    name = f"Ann{number % 9}" if number % 4 else f"王{number % 9}"
    context = f"{name} met Bob{number % 7}." + " And they spoke, and spoke." * (3 if number % 10 == 1 else 0)
    answers = [{"text": name, "answer_start": 0}, {"text": f"{name} met", "answer_start": 0}]
    bob = {"text": f"Bob{number % 7}", "answer_start": context.index("Bob")}
    asked = [
        {"id": f"{number}a", "question": "who met someone?", "answers": answers},
        {"id": f"{number}b", "question": "who was met?", "answers": [bob]},
        {"id": f"{number}c", "question": "who slept?", "answers": [], "is_impossible": True},
    ]
    return {"title": str(number), "paragraphs": [{"context": context, "qas": asked}]}


@pytest.fixture(scope="module")
def run(squad):
    output = squad / "runs"
    assert cli.run(["train", *SMALL, f"data.root={squad}", f"output_dir={output}"]) == 0
    return find("latest", output)


FIGURES = {"loss", "exact_match", "f1", "answerable_exact_match", "answerable_f1", "no_answer_exact_match"}


def test_a_run_ends_with_scores_baselines_and_answers(run, squad, capsys):
    assert {f"{split}/{name}" for split in ("val", "test") for name in FIGURES} <= set(run.summary)
    assert set(run.summary["baselines"]) == {"no answer", "best sentence", "what follows the longest match"}
    assert run.summary["baselines"]["no answer"]["f1"] == pytest.approx(1 / 3)
    assert run.texts()["final"].count("\n-> ") == 3
    content = json.loads((squad / "test.json").read_text())["data"]
    contexts = {row["id"]: part["context"] for one in content for part in one["paragraphs"] for row in part["qas"]}
    predicted = json.loads((run.path / "predictions_test.json").read_text())
    assert set(predicted) == set(contexts)
    assert all(answer in contexts[number] for number, answer in predicted.items()), "an answer stands in its context"
    lines = [json.loads(line) for line in (run.path / "answers_test.jsonl").read_text().splitlines()]
    assert sum(line["exact_match"] for line in lines) / len(lines) == pytest.approx(run.summary["test/exact_match"])
    assert cli.run(["train", *run.manifest["overrides"]]) == 0
    assert "f1 of what follows the longest match" in capsys.readouterr().out


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=test", "checkpoint=last"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert {name.partition("/")[2] for name in found} >= FIGURES


def test_figures_follow_from_what_is_kept_by_example(run, adds_up):
    assert adds_up(run)[1] == {"f1", "exact_match"}


def test_predict_answers_with_a_part_of_the_context(run, tmp_path, capsys):
    context = "Zoë  met Bob1, and 王2. " * 4
    assert cli.run(["predict", str(run.path), "text=who met someone?", f"second={context}"]) == 0
    answer, _, place = capsys.readouterr().out.rstrip("\n").partition("\t")
    if place:
        start, end = map(int, place.split("-"))
        assert context[start:end] == answer
    else:
        assert answer == "(no answer)"
    lines = tmp_path / "lines.tsv"
    lines.write_text("who slept?\tAnn1 met Bob1.\n\nwho was met?\tAnn1 met Bob1.\r\n")
    assert cli.run(["predict", str(run.path), f"path={lines}"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_without_a_threshold_every_question_has_an_answer(squad, tmp_path):
    words = [*SMALL, f"data.root={squad}", f"output_dir={tmp_path}", "task.threshold=null", "trainer.max_steps=2"]
    assert cli.run(["train", *words]) == 0
    found = find("latest", tmp_path)
    assert found.summary["test/no_answer_exact_match"] == 0
    assert all(json.loads((found.path / "predictions_test.json").read_text()).values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict"], "lmlab predict takes a text or a file of them"),
        (["predict", "text=who?"], "there is not one question and one context"),
        (["predict", "path={lines}"], "line 2 of path="),
        (["generate", "prompt=a"], "writes no text: it was not trained with task=language_modeling"),
    ],
)
def test_what_an_answerer_cannot_do_is_said_in_a_sentence(run, tmp_path, words, said, capsys):
    lines = tmp_path / "lines.tsv"
    lines.write_text("who?\tAnn.\nwho?\n")
    assert cli.run([words[0], str(run.path), *(word.format(lines=lines) for word in words[1:])]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["data=stdlib"],
            "data=stdlib is not for task=question_answering, which needs examples of the type Question; ",
        ),
        (["head=per_token"], "head=per_token is not for task=question_answering; choose span"),
        (["batch=tagged"], "batch=tagged is not for task=question_answering; choose questions"),
        (["trainer.max_tokens=1000"], "trainer.max_tokens"),
        (["batch.stride=10"], "batch.stride=10 would leave tokens between windows unread; set it to 1 ... 9"),
        (["task.max_answer=0"], "task.max_answer=0 leaves no answer"),
        (["monitor=val/f2"], "did you mean val/f1"),
        (["tokenizer.pattern=someone"], "no answer of the training split stands in its context"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(squad, tmp_path, words, said, capsys):
    kept = [word for word in SMALL if not word.startswith((f"{words[0].split('=')[0]}.", f"{words[0].split('=')[0]}="))]
    path = [] if words[0].startswith("data=") else [f"data.root={squad}"]
    assert cli.run(["train", *kept, *path, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


@pytest.mark.parametrize("chosen", ["tokenizer=char", "tokenizer=byte", "model=cnn", "model=transformer"])
def test_what_is_chosen_instead_of_a_default_takes_its_own_keys(squad, tmp_path, chosen, capsys):
    words = [word for word in SMALL if not word.startswith((chosen.split("=")[0], "batch.seq_len"))]
    words += ["model.attention.num_heads=2", "model.dim=16"] if chosen == "model=transformer" else []
    words += ["trainer.max_steps=2", "batch.seq_len=64", f"data.root={squad}", f"output_dir={tmp_path}"]
    assert cli.run(["train", *words, chosen]) == 0, capsys.readouterr().err


def test_killed_and_resumed_it_ends_with_the_same_bits(squad, tmp_path):
    chosen = [
        *SMALL,
        f"data.root={squad}",
        f"project={torture.PROJECT}",
        "trainer.max_epochs=4",
        "trainer.log_every=1",
    ]
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 14)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
