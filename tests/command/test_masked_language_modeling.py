"""Masked language modelling as a user does it: any encoder, resumed after a kill, asked what is hidden, refused in a sentence."""

import sys
from pathlib import Path

import pytest
import torch

from lmlab import cli, config, tree
from lmlab.command.kind.kind import fits
from lmlab.run.store import find
from lmlab.task.masked_language_modeling import MaskedLanguageModeling
from lmlab.types import Mistake

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

SMALL = (
    "task=masked_language_modeling", "data=text", "tokenizer=bpe", "tokenizer.vocab_size=290", "logger=none", "model.dim=16",
    "model.num_layers=1", "model.attention.num_heads=2", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=8",
    "batch.seq_len=24", "trainer.max_steps=30", "trainer.val_check_interval=10", "checkpoint.every=3",
    "optimizer.lr=0.02", "task.pseudo_perplexity=100",
)  # fmt: skip
ENCODERS = [
    name
    for name, path in tree.groups()["model"].items()
    if fits(path, "vocab_size")
    and not any(size in name for size in ("_large", "_xl", "_medium", "8b", "4b", "_1b", "1_7b"))
]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("masked") / "text.txt"
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
    longer = ["model=lstm", "model.dim=32", "trainer.max_steps=150"]
    assert cli.run(["train", *words, f"data.path={text}", f"output_dir={output}", *longer]) == 0
    return find("latest", output)


def test_it_learns_more_than_frequencies_and_says_what_it_is_held_against(run, capsys):
    figures = {"loss", "perplexity", "accuracy"}
    assert {f"{split}/{name}" for split in ("val", "test") for name in figures} <= set(run.summary)
    assert "val/pseudo_perplexity" not in run.summary
    unigram = run.summary["baselines"]["unigram"]
    assert run.summary["test/loss"] < 0.5 * unigram["loss"]
    assert run.summary["test/accuracy"] > 2 * unigram["accuracy"]
    assert 1 < run.summary["test/pseudo_perplexity"] < 2
    assert run.texts()["final"].count("[") > 3
    assert cli.run(["train", *run.manifest["overrides"]]) == 0
    said = capsys.readouterr().out
    assert "pseudo perplexity of trigram from both sides" in said
    assert "accuracy of unigram" in said


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=test"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for name in ("test/loss", "test/pseudo_perplexity"):
        assert float(found[name]) == pytest.approx(run.summary[name], abs=1e-4)


def test_pseudo_perplexity_of_the_training_split_hides_as_few_tokens(run, monkeypatch, capsys):
    asked = []
    one_at_a_time = MaskedLanguageModeling._one_at_a_time

    def counted(task, batch, row):
        found = one_at_a_time(task, batch, row)
        asked.append(len(found[0]))
        return found

    monkeypatch.setattr(MaskedLanguageModeling, "_one_at_a_time", counted)
    assert cli.run(["evaluate", str(run.path), "split=train"]) == 0
    assert "train/pseudo_perplexity" in capsys.readouterr().out
    assert 0 < sum(asked) < 300


def test_predict_fills_what_is_hidden(run, tmp_path, capsys):
    assert cli.run(["predict", str(run.path), "text=the black <mask> sat on the mat, and <mask>.", "num=2"]) == 0
    first, second = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert first.startswith("cat  ")
    assert second.startswith("slept  ")
    assert len(first.splitlines()) == 2
    lines = tmp_path / "lines.txt"
    lines.write_text("the <mask> sat\n\nthe cat <mask> on\n")
    assert cli.run(["predict", str(run.path), f"path={lines}", "num=1"]) == 0
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == [
        "the <mask> sat",
        "the cat <mask> on",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "text=a cat"], "text='a cat' hides nothing; write <mask>"),
        (["predict", "text=a <mask>", "second=b"], "second='b' is for pairs of texts"),
        (["generate", "prompt=a"], "writes no text"),
    ],
)
def test_what_a_masked_model_cannot_do_is_said_in_a_sentence(run, words, said, capsys):
    assert cli.run([words[0], str(run.path), *words[1:]]) == 2
    assert said in capsys.readouterr().err


def test_a_classifier_begins_with_the_encoder(run, tmp_path, capsys):
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
    name = "model.embedding.weight"
    torch.testing.assert_close(begun[name], trained[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("masking", ["whole_word", "span"])
@pytest.mark.parametrize("tokenizer", ["word", "char", "unigram"])
def test_every_masking_goes_with_every_tokenizer(text, tmp_path, masking, tokenizer):
    kept = [word for word in SMALL if not word.startswith(("tokenizer", "trainer.max_steps"))]
    more = ["tokenizer.vocab_size=60"] if tokenizer == "unigram" else []
    words = [f"data.path={text}", f"output_dir={tmp_path}", f"batch.masking={masking}", f"tokenizer={tokenizer}"]
    assert cli.run(["train", *kept, *words, *more, "trainer.max_steps=3"]) == 0
    assert "[" in find("latest", tmp_path).texts()["final"]


@pytest.mark.parametrize("model", ENCODERS)
def test_every_encoder_trains_and_every_other_model_says_why_not(text, tmp_path, model, capsys):
    kept = [word for word in SMALL if not word.startswith(("model.", "trainer.max_steps", "task.pseudo"))]
    composed = config.compose(["task=masked_language_modeling", f"model={model}"])
    small = {
        "model.dim": 16, "model.num_layers": 1, "model.attention.num_heads": 2, "model.attention.num_kv_heads": 2,
        "model.attention.head_dim": 8, "model.feedforward.hidden_dim": 24,
    }  # fmt: skip
    sizes = [f"{key}={value}" for key, value in small.items() if config.has(composed, key)]
    refusal = None
    try:
        with torch.device("meta"):
            config.build(config.compose([f"model={model}", *sizes]), "model")(vocab_size=7, causal=False)
    except Mistake as mistake:
        refusal = str(mistake)
    words = [*kept, f"data.path={text}", f"output_dir={tmp_path}", f"model={model}", *sizes]
    code = cli.run(["train", *words, "trainer.max_steps=2", "task.pseudo_perplexity=24"])
    said = capsys.readouterr()
    if refusal is None:
        assert code == 0, said.err
    else:
        assert (code, said.err) == (2, f"lmlab: {refusal}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["batch=windows"], "batch=windows is not for task=masked_language_modeling; choose masked"),
        (["head=mean"], "head=mean is not for task=masked_language_modeling; choose masked_token"),
        (
            ["head=multi_token"],
            "head=multi_token is not for task=masked_language_modeling; choose masked_token, next_token",
        ),
        (["data=packages"], "needs examples of the type Text; choose"),
        (["batch.masking=spam"], "batch.masking=spam is wrong"),
        (["batch.rate=1.5"], "batch.rate=1.5 is wrong"),
        (["samples.prompt=abc"], "samples.prompt=abc hides nothing; write <mask>"),
        (["strategy=fsdp"], "task.pseudo_perplexity=100 needs the whole model on each device"),
        (["monitor=val/accurate"], "did you mean val/accuracy"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(text, tmp_path, words, said, capsys):
    kept = [word for word in SMALL if word.split("=")[0] != words[0].split("=")[0]]
    path = [] if words[0].startswith("data=") else [f"data.path={text}"]
    assert cli.run(["train", *kept, *path, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


def test_language_modelling_refuses_hidden_tokens(capsys):
    assert cli.run(["train", "batch=masked"]) == 2
    assert (
        "batch=masked is not for task=language_modeling; choose documents, streams, windows" in capsys.readouterr().err
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_and_resumed_it_ends_with_the_same_bits(text, tmp_path, workers):
    chosen = [
        *SMALL, f"data.path={text}", f"project={torture.PROJECT}", "trainer.log_every=1", "batch.micro_size=4",
        "model.dropout=0.1", "batch.masking=span",
    ]  # fmt: skip
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    one.overrides = [*chosen, f"batch.num_workers={workers}"]
    assert one.kill_when(lambda: one.step >= 14)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
