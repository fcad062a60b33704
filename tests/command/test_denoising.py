"""Denoising as a user does it: encoder and decoder of any kind, gaps filled, other models refused."""

import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.command.gaps import by_gap
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

SMALL = (
    "task=denoising", "data=text", "tokenizer=bpe", "tokenizer.vocab_size=290", "logger=none", "model.dim=16",
    "model.num_layers=1", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=8", "batch.seq_len=24",
    "trainer.max_steps=20", "trainer.val_check_interval=10", "checkpoint.every=3", "optimizer.lr=0.02",
)  # fmt: skip
T5 = ("model=t5_small", "model.cross_attention.num_heads=2", "model.cross_attention.head_dim=8", "head=t5")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("denoised") / "text.txt"
    lines = [
        f"the {'black' if n % 3 else 'white'} cat sat on the {'mat' if n % 3 else 'log'}, and slept."
        for n in range(400)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(text):
    output = text.parent / "runs"
    longer = ["model.dim=32", "trainer.max_steps=150"]
    assert cli.run(["train", *SMALL, f"data.path={text}", f"output_dir={output}", *longer]) == 0
    return find("latest", output)


def test_it_learns_more_than_frequencies(run):
    unigram = run.summary["baselines"]["unigram"]
    assert run.summary["test/loss"] < 0.8 * unigram["loss"]
    assert run.summary["test/accuracy"] > unigram["accuracy"]
    assert run.texts()["final"].count("[") >= 1


def test_predict_writes_a_line_for_each_gap(run, capsys):
    assert cli.run(["predict", str(run.path), "text=the black <mask> sat on the mat, and <mask>."]) == 0
    assert len(capsys.readouterr().out.split("\n")) == 3
    assert cli.run(["predict", str(run.path), "text=the black cat"]) == 2
    assert "hides nothing; write <mask>" in capsys.readouterr().err


def test_generate_fills_the_gaps_as_predict_does_unless_it_is_told_how(run, capsys):
    text = "the black <mask> sat on the mat, and <mask>."
    assert cli.run(["predict", str(run.path), f"text={text}"]) == 0
    alone = capsys.readouterr().out
    assert cli.run(["generate", str(run.path), f"prompt={text}"]) == 0
    assert capsys.readouterr().out == alone
    assert cli.run(["generate", str(run.path), f"prompt={text}", "num_beams=3", "num=2"]) == 0
    assert [line.count("\t") for line in capsys.readouterr().out.splitlines()] == [1, 1]


def test_gaps_are_what_stands_behind_their_sentinels():
    assert by_gap([9, 1, 2, 8, 3, 0, 4], [9, 8], 0) == [[1, 2], [3]]
    assert by_gap([5, 8, 3], [9, 8], 0) == [[], [3]]


@pytest.mark.parametrize("more", [T5, ("model/encoder=transformer", "model/decoder=gru"), ("model=bahdanau2015",)])
def test_encoder_and_decoder_may_be_any(text, tmp_path, more):
    words = ["trainer.max_steps=2", f"data.path={text}", f"output_dir={tmp_path}"]
    assert cli.run(["train", *SMALL, *words, *more]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=lstm"], "task=denoising needs an encoder that reads the text and a decoder"),
        (["batch=masked"], "batch=masked is not for task=denoising; choose corrupted"),
        (["samples.prompt=abc"], "samples.prompt=abc hides nothing"),
        (["batch.rate=0.0"], "batch.rate=0.0"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(text, tmp_path, words, said, capsys):
    kept = [word for word in SMALL if word.split("=")[0] != words[0].split("=")[0]]
    assert cli.run(["train", *kept, f"data.path={text}", f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


def test_killed_and_resumed_it_ends_with_the_same_bits(text, tmp_path):
    chosen = [
        *SMALL, f"data.path={text}", f"project={torture.PROJECT}", "trainer.log_every=1", "batch.micro_size=4",
        "model.dropout=0.1",
    ]  # fmt: skip
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 9)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
