"""Replaced token detection as a user does it: any encoder, resumed after a kill, a classifier from it, refused in a sentence."""

import sys
from pathlib import Path

import pytest
import torch

from lmlab import cli, config, tree
from lmlab.command.kind.kind import fits
from lmlab.command.kind.replaced import narrow
from lmlab.run.store import find
from lmlab.types import Mistake

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

SMALL = (
    "task=replaced_token_detection", "data=text", "tokenizer=bpe", "tokenizer.vocab_size=290", "logger=none", "model.dim=16",
    "model.num_layers=1", "model.attention.num_heads=2", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=8",
    "batch.seq_len=24", "trainer.max_steps=30", "trainer.val_check_interval=10", "checkpoint.every=3",
    "optimizer.lr=0.02", "head.generator_size=0.5",
)  # fmt: skip
ENCODERS = [
    name
    for name, path in tree.groups()["model"].items()
    if fits(path, "vocab_size")
    and not any(size in name for size in ("_large", "_xl", "_medium", "8b", "4b", "_1b", "1_7b"))
]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("replaced") / "text.txt"
    lines = [
        f"the {'black' if n % 3 else 'white'} cat sat on the {'mat' if n % 3 else 'log'}, and slept."
        for n in range(400)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(text):
    output = text.parent / "runs"
    words = [word for word in SMALL if not word.startswith("model.attention")]
    longer = ["model=lstm", "model.dim=32", "trainer.max_steps=150", "task.temperature=4.0"]
    assert cli.run(["train", *words, f"data.path={text}", f"output_dir={output}", *longer]) == 0
    return find("latest", output)


def test_both_models_learn_and_the_run_says_what_they_are_held_against(run, capsys):
    unigram = run.summary["baselines"]["unigram"]
    assert run.summary["test/generator_loss"] < 0.8 * unigram["generator_loss"]
    assert run.summary["test/accuracy"] > run.summary["test/accuracy_of_all_original"]
    assert run.summary["test/f1"] > 0.3
    assert "[" in run.texts()["final"]
    assert cli.run(["train", *run.manifest["overrides"]]) == 0
    said = capsys.readouterr().out
    assert "accuracy of all original" in said
    assert "generator accuracy of unigram" in said


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=test"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for name in ("test/loss", "test/f1", "test/accuracy_of_all_original"):
        assert float(found[name]) == pytest.approx(run.summary[name], abs=1e-4)


def test_figures_follow_from_what_is_kept_by_example(run, adds_up):
    assert adds_up(run)[1] == {"detection_loss", "accuracy", "f1", "generator_loss", "generator_accuracy"}


def test_predict_says_how_likely_each_token_was_replaced(run, tmp_path, capsys):
    assert cli.run(["predict", str(run.path), "text=the black cat cat on the mat, and slept."]) == 0
    lines = [line.rsplit("  ", 1) for line in capsys.readouterr().out.splitlines()]
    assert [word for word, _ in lines[:3]] == ["the", "black", "cat"]
    assert all(0 <= float(share) <= 1 for _, share in lines)
    path = tmp_path / "lines.txt"
    path.write_text("the black cat\nthe mat sat\n", encoding="utf-8")
    assert cli.run(["predict", str(run.path), f"path={path}", "num=2"]) == 0
    assert [line.split("\t")[-1] for line in capsys.readouterr().out.splitlines()] == ["the black cat", "the mat sat"]


def test_a_classifier_begins_with_the_detector(run, tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text(
        "text,label\n" + "".join(f"the {'black' if n % 2 else 'white'} cat {n},{n % 2}\n" for n in range(60))
    )
    words = [
        "task=classification", "data=table", f"data.path={path}", "tokenizer=pretrained", f"tokenizer.path={run.path}",
        f"init_from={run.path}", "model=lstm", "model.dim=32", "model.num_layers=1", "logger=none",
        "trainer.max_steps=2", "trainer.accelerator=cpu", "trainer.threads=1", f"output_dir={tmp_path}", "optimizer.lr=1e-9",
    ]  # fmt: skip
    assert cli.run(["train", *words]) == 0
    begun = torch.load(next(tmp_path.rglob("best.ckpt")), weights_only=True)["state_dict"]
    trained = torch.load(run.path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert not [name for name in begun if "generator" in name]
    for name in (one for one in begun if one.startswith("model.")):
        torch.testing.assert_close(begun[name], trained[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", ENCODERS)
def test_every_encoder_trains_and_every_other_model_says_why_not(text, tmp_path, model, capsys):
    kept = [word for word in SMALL if not word.startswith(("model.", "trainer.max_steps"))]
    composed = config.compose(["task=replaced_token_detection", f"model={model}"])
    small = {
        "model.dim": 16, "model.num_layers": 1, "model.attention.num_heads": 2, "model.attention.num_kv_heads": 2,
        "model.attention.head_dim": 8, "model.feedforward.hidden_dim": 24, "model.ngrams": 1,
    }  # fmt: skip
    sizes = [f"{key}={value}" for key, value in small.items() if config.has(composed, key)]
    refusal = None
    try:
        with torch.device("meta"):
            config.build(config.compose([f"model={model}", *sizes]), "model")(vocab_size=7, causal=False)
    except Mistake as mistake:
        refusal = str(mistake)
    words = [*kept, f"data.path={text}", f"output_dir={tmp_path}", f"model={model}", *sizes]
    code = cli.run(["train", *words, "trainer.max_steps=2"])
    said = capsys.readouterr()
    if refusal is None:
        assert code == 0, said.err
    else:
        assert (code, said.err) == (2, f"lmlab: {refusal}\n")


def test_a_generator_has_its_share_of_width_heads_and_hidden_layers():
    composed = config.compose(
        ["task=replaced_token_detection", "model.dim=96", "model.attention.num_heads=6",
         "model.attention.num_kv_heads=3", "model.feedforward.hidden_dim=200"]
    )  # fmt: skip
    found = narrow(composed, 0.5).model
    assert (found.dim, found.attention.num_heads, found.attention.num_kv_heads) == (48, 3, 1)
    assert found.feedforward.hidden_dim == 100
    assert composed.model.dim == 96
    assert narrow(composed, 1.0).model == composed.model


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["batch=windows"], "batch=windows is not for task=replaced_token_detection; choose masked"),
        (["head=masked_token"], "head=masked_token is not for task=replaced_token_detection; choose replaced_token"),
        (["head.generator_size=2.0"], "head.generator_size=2.0 is no share of the model's width"),
        (["task.temperature=0"], "task.temperature=0 is wrong: expected a number above 0"),
        (["strategy=fsdp"], "task=replaced_token_detection shares an embedding between two models"),
        (["monitor=val/f"], "monitor=val/f is not measured"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(text, tmp_path, words, said, capsys):
    kept = [word for word in SMALL if word.split("=")[0] != words[0].split("=")[0]]
    kept = [word for word in kept if not (words[0].startswith("head=") and word.startswith("head."))]
    assert cli.run(["train", *kept, f"data.path={text}", f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


def test_other_tasks_refuse_the_head(capsys):
    assert cli.run(["train", "head=replaced_token"]) == 2
    assert "head=replaced_token is not for task=language_modeling; choose" in capsys.readouterr().err


def test_killed_and_resumed_it_ends_with_the_same_bits(text, tmp_path):
    chosen = [
        *SMALL, f"data.path={text}", f"project={torture.PROJECT}", "trainer.log_every=1", "batch.micro_size=4",
        "model.dropout=0.1",
    ]  # fmt: skip
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 14)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
