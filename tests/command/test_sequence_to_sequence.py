"""Writing targets as a user does it: trained, evaluated, continued after a kill, refused where parts do not fit."""

import json
import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

SMALL = (
    "task=translation", "data.num_train=300", "data.num_val=20", "data.num_test=20", "logger=none", "model.dim=16",
    "model.num_layers=1", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=16", "batch.seq_len=40",
    "decoding.max_tokens=12", "trainer.max_epochs=1", "trainer.val_check_interval=10", "checkpoint.every=5",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    output = tmp_path_factory.mktemp("translation") / "runs"
    assert cli.run(["train", *SMALL, f"output_dir={output}"]) == 0
    return find("latest", output)


def test_a_run_ends_with_scores_baselines_and_texts(run, capsys):
    scores = {"loss", "perplexity", "bleu", "chrf", "exact_match"}
    assert {f"{split}/{name}" for split in ("val", "test") for name in scores} <= set(run.summary)
    assert set(run.summary["baselines"]) == {"source", "first sentence", "nearest training source"}
    assert run.texts()["final"].count("\n-> ") == 3
    lines = [json.loads(line) for line in (run.path / "written_test.jsonl").read_text().splitlines()]
    assert len(lines) == 20
    assert all(set(line) == {"source", "references", "written"} for line in lines)
    assert "version:" in json.loads((run.path / "signatures.json").read_text())["bleu"]
    assert cli.run(["train", *run.manifest["overrides"]]) == 0
    assert "chrf of nearest training source" in capsys.readouterr().out
    assert "nearest training source" in (run.path / "report.html").read_text()


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=test"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(found["test/chrf"]) == pytest.approx(run.summary["test/chrf"], abs=1e-4)


def test_figures_follow_from_what_is_kept_by_example(run, adds_up):
    assert adds_up(run)[1] == {"bleu", "chrf", "exact_match", "loss", "perplexity"}


def test_predict_writes_for_a_text_and_for_each_line_of_a_file(run, tmp_path, capsys):
    assert cli.run(["predict", str(run.path), "text=1 May 1999"]) == 0
    alone = capsys.readouterr().out
    lines = tmp_path / "lines.txt"
    lines.write_text("1 May 1999\n\nsome much longer line\tthan the first\r\n")
    assert cli.run(["predict", str(run.path), f"path={lines}"]) == 0
    found = capsys.readouterr().out.splitlines()
    assert len(found) == 2
    assert found[0] == alone.rstrip("\n")
    assert cli.run(["predict", str(run.path), "text=some much longer line\tthan the first"]) == 0
    assert found[1] == capsys.readouterr().out.rstrip("\n"), "a tab is a part of the text"
    assert cli.run(["predict", str(run.path), "text=a", "second=b"]) == 2
    assert "is for pairs of texts" in capsys.readouterr().err


def written(run, capsys, *words):
    assert cli.run(["generate", str(run.path), "prompt=1 May 1999", *words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out.splitlines()


def test_generate_writes_what_predict_writes_unless_it_is_told_how(run, capsys):
    assert cli.run(["predict", str(run.path), "text=1 May 1999"]) == 0
    alone = capsys.readouterr().out.splitlines()
    assert written(run, capsys) == alone
    assert written(run, capsys, "temperature=0", "top_k=3") == alone
    found = written(run, capsys, "num_beams=4", "num=3", "length_penalty=0.6", "no_repeat_ngram=3")
    assert len(set(found)) == 3
    drawn = written(run, capsys, "num=3", "temperature=1.5", "top_p=0.9", "min_p=0.01")
    assert len(drawn) == 3
    assert drawn == written(run, capsys, "num=3", "temperature=1.5", "top_p=0.9", "min_p=0.01")
    assert written(run, capsys, "seed=1", "temperature=1.5", "top_p=0.9", "min_p=0.01") == drawn[1:2]
    assert len(written(run, capsys, "num=2")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "writes for a text or a recording; give it one"),
        (["prompt=a", "stream=true"], "stream=true shows a continuation"),
        (["prompt=a", "num_beams=2", "temperature=0.5"], "temperature=0.5 chooses one token"),
    ],
)
def test_what_generate_cannot_do_for_a_source_is_said_in_a_sentence(run, words, said, capsys):
    assert cli.run(["generate", str(run.path), *words]) == 2
    assert said in capsys.readouterr().err


def test_beams_write_at_least_as_likely_texts(run, tmp_path, capsys):
    """The same model with four beams: another run, since what is written is another."""
    assert (
        cli.run(["train", *SMALL, f"output_dir={tmp_path}", "decoding.num_beams=4", "decoding.length_penalty=0.6"]) == 0
    )
    found = find("latest", tmp_path)
    assert found.summary["weights_sha256"] == run.summary["weights_sha256"]
    assert found.summary["test/loss"] == run.summary["test/loss"]
    capsys.readouterr()
    assert written(found, capsys) == written(run, capsys, "num_beams=4", "length_penalty=0.6")
    assert written(found, capsys, "temperature=0") == written(run, capsys), "one token at a time: no beams"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["data=stdlib"],
            "data=stdlib is not for task=sequence_to_sequence, which needs examples of the type SourceTarget",
        ),
        (["head=mean"], "head=mean is not for task=sequence_to_sequence; choose "),
        (["batch=windows"], "batch=windows is not for task=sequence_to_sequence; choose source_target"),
        (["model=bag"], "model=bag"),
        (["trainer.max_tokens=1000"], "trainer.max_tokens"),
        (["batch.seq_len=2"], "batch.seq_len=2 has no room for a source and a target"),
        (["monitor=val/blue"], "did you mean val/bleu"),
        (["metric.scores=[blue]"], "metric.scores has 'blue', which is no score; choose among bleu"),
        (["decoding.num_beams=0"], "num_beams=0"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(tmp_path, words, said, capsys):
    group = words[0].split("=")[0]
    kept = [word for word in SMALL if not word.startswith((f"{group}.", f"{group}="))]
    assert cli.run(["train", *kept, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


@pytest.mark.parametrize(
    "model",
    ["seq2seq", "bahdanau2015", "luong2015", "sutskever2014", "transformer_base", "t5_small", "transformer", "mamba2"],
)
def test_every_model_that_writes_is_taken(model, capsys):
    """With or without an encoder; shapes alone."""
    kept = [word for word in SMALL if not word.startswith("model.")]
    assert cli.run(["check", *kept, f"model={model}", "model.dim=64"]) == 0, capsys.readouterr().err
    assert "overlap           0 of 20 examples" in capsys.readouterr().out


def test_killed_and_resumed_it_ends_with_the_same_bits(tmp_path):
    chosen = [*SMALL, f"project={torture.PROJECT}", "trainer.log_every=1"]
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 12)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
