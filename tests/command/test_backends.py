"""What a run says about its kernels, and what it refuses before it starts."""

import pytest
import torch

from lmlab import cli, config
from lmlab.command.backends import calls, computed_in, lines
from lmlab.command.experiment import build_task, resolve


def said(tiny, *overrides):
    experiment = resolve(config.compose(tiny("model.num_layers=3", *overrides)))
    with torch.device("meta"):
        model = build_task(experiment).model
    return lines(calls(experiment, model))


def test_each_kind_of_attention_has_one_line(tiny):
    assert said(tiny) == ["attention: sdpa (flash) in 3 layers"]
    assert said(tiny, "model=lstm") == []


def test_torch_says_which_of_its_own_kernels_it_takes(tiny):
    assert said(tiny, "model.dropout=0.1") == ["attention: sdpa (math) in 3 layers"]  # flash on a CPU has no dropout
    local = ["model/pattern=local_global", "model.pattern.every=2", "model.pattern.window=4", "model/position=alibi"]
    assert said(tiny, *local) == ["attention: sdpa (flash) in 3 layers"]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("model.attention.logit_cap=50", "model.attention.logit_cap=50 is not in torch's fused kernels"),
        ("model/attention=concat", "the score of model/attention=concat is no matrix product"),
        ("trainer.precision=bf16-mixed", "on a CPU its gradient in bfloat16 is the faster one"),
        ("model.attention.backend=plain", "model.attention.backend=plain"),
    ],
)
def test_what_forced_the_plain_formula_is_said(tiny, override, reason):
    assert said(tiny, override) == [f"attention: plain in 3 layers, because {reason}"]


def test_a_run_logs_its_kernels_once(tiny, home, caplog):
    caplog.set_level("INFO", "lmlab")
    assert cli.run(["train", *tiny("model.num_layers=2", "fresh=true", "model.attention.sinks=true")]) == 0
    text = (home / "runs/latest/log.txt").read_text()
    assert text.count("attention: ") == 1
    assert "attention: plain in 2 layers, because model.attention.sinks=true is not in torch's fused kernels" in text


def test_an_impossible_backend_is_refused_before_a_run_is_made(tiny, capsys):
    assert cli.run(["train", *tiny("model.attention.backend=varlen")]) == 2
    error = capsys.readouterr().err
    assert "model.attention.backend=varlen is not possible: varlen needs trainer.accelerator=cuda" in error


def test_the_type_follows_from_the_precision():
    names = ("bf16-mixed", "16-mixed", "bf16-true", "32-true", "64-true", "32")
    types = [torch.bfloat16, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float32]
    assert [computed_in(name) for name in names] == types
