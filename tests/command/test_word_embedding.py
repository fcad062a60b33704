"""Word vectors as a user makes them: trained, killed and resumed, asked for neighbours, refused where parts do not fit."""

import json
import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

TEXT = "The cat sat on the mat. The dog lay by the log! A cat and a dog met; 苹果很好吃，苹果。\n" * 60
SMALL = (
    "task=word_embedding", "data=text", "logger=none", "model.dim=8", "batch.size=50", "tokenizer.min_count=2",
    "trainer.threads=1", "trainer.accelerator=cpu", "trainer.log_every=1", "samples.num=2", "task.evaluation=null",
)  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("words") / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(text):
    output = text.parent / "runs"
    sets = text.parent / "sets"
    sets.mkdir()
    (sets / "wordsim353.tsv").write_text("cat\tdog\t9\ncat\tmat\t3\ndog\tlog\t2\nking\tqueen\t8\n")
    overrides = ["trainer.max_epochs=4", f"data.path={text}", f"output_dir={output}", f"task.evaluation={sets}"]
    assert cli.run(["train", *SMALL[:-1], *overrides]) == 0
    return find("latest", output)


def test_a_run_ends_with_figures_of_the_vectors_a_map_and_neighbours(run, capsys):
    summary = run.summary
    assert summary["val/similarity/wordsim353/coverage"] == 0.75
    assert -1 <= summary["val/similarity/wordsim353"] <= 1
    assert summary["val/loss"] > 0
    assert "flops" not in summary
    assert {"cat", "dog", "苹果"} <= set(json.loads((run.path / "word_map.json").read_text())["words"])
    assert run.texts()["final"].count(": ") == 2
    assert cli.run(["train", "fresh=false", *run.manifest["overrides"]]) == 0
    shown = capsys.readouterr().out
    assert "similarity/wordsim353" in shown
    assert "on 75.0% of it" in shown
    assert "last/" not in shown


def test_its_vocabulary_is_that_of_the_training_split_by_frequency(run):
    lines = (run.path / "vocabulary.tsv").read_text(encoding="utf-8").splitlines()
    counts = [int(line.split("\t")[1]) for line in lines[2:]]
    assert lines[:2] == ["<eos>\t0", "<unk>\t0"]
    assert counts == sorted(counts, reverse=True)
    assert lines[2].split("\t")[0] == "the"


@pytest.mark.parametrize(("asked", "number"), [("word=苹果", 3), ("analogy=cat - dog + log", 3), ("word=cat num=2", 2)])
def test_neighbors_lists_words_with_their_cosines(run, asked, number, capsys):
    words = asked.split(" num=")
    more = [f"num={words[1]}"] if len(words) > 1 else ["num=3"]
    assert cli.run(["neighbors", str(run.path), words[0], *more]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == number
    assert all(-1.001 <= float(cosine) <= 1.001 for cosine, _ in lines)
    assert not {"cat", "dog", "log"} & {word for _, word in lines} or "苹果" in asked or number == 2
    cosines = [float(cosine) for cosine, _ in lines]
    assert cosines == sorted(cosines, reverse=True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["word=catt"], "word=catt is not among the"),
        (["word=cat", "analogy=cat - dog + log"], "takes a word or an analogy"),
        ([], "takes a word or an analogy"),
        (["analogy=cat -"], "lacks a word beside a sign"),
        (["wordx=cat"], "did you mean word?"),
    ],
)
def test_neighbors_refuses_in_a_sentence(run, asked, said, capsys):
    assert cli.run(["neighbors", str(run.path), *asked]) == 2
    assert said in capsys.readouterr().err


def test_neighbors_of_another_run_are_those_of_its_embedding(tiny, tmp_path, capsys):
    assert cli.run(["train", *tiny(f"output_dir={tmp_path}")]) == 0
    capsys.readouterr()
    assert cli.run(["neighbors", str(find("latest", tmp_path).path), "word=t", "num=4"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=word_embedding", "model=lstm"], "is not for task=word_embedding; choose cbow"),
        (["task=word_embedding", "tokenizer=char"], "is not for task=word_embedding; choose word"),
        (
            ["task=word_embedding", "batch=windows"],
            "is not for task=word_embedding; choose cooccurrences, word_windows",
        ),
        (["model=skipgram"], "model=word2vec is not for task=language_modeling; choose "),
        ([*SMALL, "strategy=ddp", "trainer.devices=2"], "choose strategy=single"),
        ([*SMALL, "trainer.gradient_clip_val=1.0"], "computes no gradients, which trainer.gradient_clip_val is about"),
        ([*SMALL, "trainer.precision=bf16-mixed"], "trainer.precision=32-true"),
        ([*SMALL, "optimizer=adamw"], "set optimizer=sgd"),
        ([*SMALL, "monitor=val/accuracy"], "monitor=val/accuracy is not measured"),
        ([*SMALL, "tokenizer.min_count=100000"], "tokenizer.min_count"),
        ([*SMALL, "task.evaluation=/nowhere"], "/nowhere is not a folder"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(text, words, said, tmp_path, capsys):
    data = [f"data.path={text}"] if "data=text" in words else []
    assert cli.run(["train", *words, *data, f"output_dir={tmp_path}"]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_killed_and_resumed_it_ends_with_the_same_bits(text, tmp_path):
    chosen = [*SMALL, f"data.path={text}", f"project={torture.PROJECT}", "trainer.max_epochs=10", "checkpoint.every=3"]
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 14)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
