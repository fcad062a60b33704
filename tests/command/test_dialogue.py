"""Conversations as a user has them learned: trained, asked, continued after a kill, refused where parts do not fit."""

import json
import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

TRAINED = (
    "task=dialogue", "logger=none", "tokenizer.vocab_size=320", "model.dim=16", "model.num_layers=1",
    "model.attention.num_heads=2", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=8", "batch.seq_len=64",
    "decoding.max_tokens=8", "trainer.max_epochs=3", "trainer.val_check_interval=10", "checkpoint.every=5",
)  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Some greetings of one's own."""
    path = tmp_path_factory.mktemp("chats") / "chats.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(60):
            turns = [("system", "Be kind.")] * (number % 3 == 0) + [
                ("user", f"I am {number}."),
                ("assistant", "Hello!"),
            ]
            turns += [("user", "Who are you?"), ("assistant", f"I am {number + 1}.")] * (number % 2)
            messages = [{"role": role, "content": content} for role, content in turns]
            file.write(json.dumps({"messages": messages}) + "\n")
    return (*TRAINED, "data=chat", f"data.path={path}")


@pytest.fixture(scope="module")
def run(small, tmp_path_factory):
    output = tmp_path_factory.mktemp("dialogue") / "runs"
    assert cli.run(["train", *small, f"output_dir={output}"]) == 0
    return find("latest", output)


def test_a_run_ends_with_scores_baselines_and_replies(run, capsys):
    scores = {"loss", "perplexity", "bleu", "distinct1", "distinct2", "exact_match"}
    assert {f"{split}/{name}" for split in ("val", "test") for name in scores} <= set(run.summary)
    assert set(run.summary["baselines"]) == {"most frequent reply", "reply to the nearest turn", "unigram"}
    assert run.summary["baselines"]["unigram"]["perplexity"] > 1
    assert run.texts()["final"].count("\n-> ") == 3
    lines = [json.loads(line) for line in (run.path / "written_test.jsonl").read_text().splitlines()]
    assert all(set(line) == {"source", "references", "written"} for line in lines)
    assert all("user: I am" in line["source"] for line in lines)
    assert cli.run(["train", *run.manifest["overrides"]]) == 0
    assert "bleu of reply to the nearest turn" in capsys.readouterr().out
    assert "reply to the nearest turn" in (run.path / "report.html").read_text()


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=test"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(found["test/perplexity"]) == pytest.approx(run.summary["test/perplexity"], rel=1e-4)


def test_it_replies_to_a_prompt_and_to_each_line_of_a_file(run, tmp_path, capsys):
    assert cli.run(["generate", str(run.path), "prompt=Who are you?", "temperature=0", "max_tokens=8"]) == 0
    drawn = capsys.readouterr().out.strip()
    assert cli.run(["predict", str(run.path), "text=Who are you?"]) == 0
    assert capsys.readouterr().out.strip() == drawn
    assert "Who are you?" not in drawn
    (tmp_path / "said.txt").write_text("Who are you?\nI am 7.\n")
    assert cli.run(["predict", str(run.path), f"path={tmp_path / 'said.txt'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0] == " ".join(drawn.split("\n"))
    assert cli.run(["generate", str(run.path), f"prompt={'Who are you? ' * 50}", "num_beams=2", "max_tokens=8"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data=stdlib"], "data=stdlib is not for task=dialogue, which needs examples of the type Conversation"),
        (["batch=source_target"], "batch=source_target is not for task=dialogue; choose conversations"),
        (["head=mean"], "head=mean is not for task=dialogue; choose "),
        (["model=seq2seq"], "a conversation is one text for a decoder"),
        (["batch.learned=[robot]"], "batch.learned has robot, who says nothing; set it to some of assistant, system"),
        (["batch.learned=[system]"], "nobody of batch.learned=['system'] says anything"),
        (["batch.seq_len=8"], "batch.seq_len=8 has no room for two turns with headers of "),
        (["trainer.max_tokens=1000"], "trainer.max_tokens"),
        (["data.template.user=''"], "data.template.user= are no words"),
        (["decoding.num_beams=0"], "num_beams=0"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(small, tmp_path, words, said, capsys):
    group = words[0].split("=")[0]
    kept = [word for word in small if not word.startswith((f"{group}.", f"{group}="))]
    assert cli.run(["train", *kept, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


def test_killed_and_resumed_it_ends_with_the_same_bits(small, tmp_path):
    chosen = [*small, f"project={torture.PROJECT}", "trainer.log_every=1"]
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 12)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
