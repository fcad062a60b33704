"""Classification as a user does it: trained, continued after a kill, asked for labels, refused where parts do not fit."""

import json
import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

SMALL = (
    "task=classification", "data=table", "tokenizer=char", "logger=none", "model.dim=16", "model.num_layers=1",
    "model.attention.num_heads=2", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=16", "trainer.max_epochs=4",
    "trainer.val_check_interval=5", "checkpoint.every=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Texts with one letter or the other."""
    path = tmp_path_factory.mktemp("table") / "texts.tsv"
    rows = [
        f"{'x' if number % 3 else 'y'}{number * 'a'}{number}\t{'many' if number % 3 else 'few'}"
        for number in range(120)
    ]
    path.write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(table):
    output = table.parent / "runs"
    assert cli.run(["train", *SMALL, f"data.path={table}", f"output_dir={output}"]) == 0
    return find("latest", output)


def test_a_run_ends_with_scores_baselines_and_texts_with_their_labels(run, capsys):
    scores = {"loss", "accuracy", "macro_f1", "matthews", "calibration_error"}
    assert {f"{split}/{name}" for split in ("val", "test") for name in scores} <= set(run.summary)
    assert set(run.summary["baselines"]) == {"most frequent label", "TF-IDF, logistic regression"}
    assert run.texts()["final"].count("labelled ") == 3
    assert json.loads((run.path / "labels.json").read_text())["labels"] == ["few", "many"]
    assert cli.run(["train", *run.manifest["overrides"]]) == 0
    assert "accuracy of most frequent label" in capsys.readouterr().out


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=val"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(found["val/accuracy"]) == pytest.approx(run.summary["val/accuracy"], abs=1e-4)


def test_the_run_keeps_what_was_taken_for_what_and_evaluate_says_where(run, capsys):
    kept = json.loads((run.path / "confusion_test.json").read_text())
    total = sum(count for *_, count in kept["cells"])
    right = sum(count for truth, said, count in kept["cells"] if truth == said)
    assert right / total == pytest.approx(run.summary["test/accuracy"], abs=1e-6)
    assert kept["labels"] == ["few", "many"]
    assert "What was taken for what" in (run.path / "report.html").read_text(encoding="utf-8")
    assert cli.run(["evaluate", str(run.path), "split=train"]) == 0
    table = run.path / "confusion_train.csv"
    assert str(table) in capsys.readouterr().out
    rows = [line.split(",") for line in table.read_text().splitlines()]
    assert rows[0] == ["truth \\ taken for", "few", "many"]
    assert sum(int(cell) for row in rows[1:] for cell in row[1:]) > total
    assert cli.run(["evaluate", str(run.path), "split=val", "checkpoint=last"]) == 0
    assert "confusion" not in capsys.readouterr().out


def test_figures_follow_from_what_is_kept_by_example(run, adds_up):
    assert adds_up(run) == ("examples", {"accuracy", "loss"})


def test_check_counts_the_tokens_that_training_sees(table, run, capsys):
    assert cli.run(["check", *SMALL, f"data.path={table}"]) == 0
    said = capsys.readouterr().out
    tokens = next(line for line in said.splitlines() if line.startswith("tokens "))
    assert tokens.split()[1] == f"{run.summary['tokens']:,},"
    assert "examples, " in said


def test_predict_gives_each_label_a_probability(run, tmp_path, capsys):
    assert cli.run(["predict", str(run.path), "text=What's an x, then?"]) == 0
    found = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert {label for label, _ in found} == {"few", "many"}
    assert sum(float(share) for _, share in found) == pytest.approx(1, abs=1e-3)
    lines = tmp_path / "lines.txt"
    lines.write_text("xaa\n\nyaa\r\n")
    assert cli.run(["predict", str(run.path), f"path={lines}", "num=1"]) == 0
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == ["xaa", "yaa"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict"], "lmlab predict takes a text or a file of them"),
        (["predict", "text=a", "num=0"], "num=0 is wrong: expected a number above 0"),
        (["predict", "path=/nowhere/a.txt"], "cannot be read as UTF-8 text"),
        (["generate", "prompt=a"], "writes no text: it was not trained with task=language_modeling"),
    ],
)
def test_what_a_classifier_cannot_do_is_said_in_a_sentence(run, words, said, capsys):
    assert cli.run([words[0], str(run.path), *words[1:]]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["data=stdlib"],
            "data=stdlib is not for task=classification, which needs examples of the type Labelled; choose ",
        ),
        (
            ["head=next_token"],
            "head=next_token is not for task=classification; choose attention_pooling, first_token, max, mean",
        ),
        (["batch=windows"], "batch=windows is not for task=classification; choose labelled"),
        (["trainer.max_tokens=1000"], "trainer.max_tokens"),
        (["batch.seq_len=1"], "batch.seq_len=1 has no room for 1 text"),
        (["monitor=val/accurate"], "did you mean val/accuracy"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(table, tmp_path, words, said, capsys):
    kept = [word for word in SMALL if word.split("=")[0] != words[0].split("=")[0]]
    path = [] if words[0].startswith("data=") else [f"data.path={table}"]
    assert cli.run(["train", *kept, *path, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


def test_language_modelling_refuses_labelled_texts(capsys):
    assert cli.run(["train", "data=packages"]) == 2
    assert (
        "data=packages is not for task=language_modeling, which needs examples of the type Text"
        in capsys.readouterr().err
    )


def test_killed_and_resumed_it_ends_with_the_same_bits(table, tmp_path):
    chosen = [*SMALL, f"data.path={table}", f"project={torture.PROJECT}", "trainer.max_epochs=8", "trainer.log_every=1"]
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 14)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
