"""What can be said of it without CUDA and its package: what is refused, what reaches Lightning, which files are written."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from pytorch_lightning.strategies import deepspeed as lightning_s

from lmlab import cli, config
from lmlab.command import experiment as building
from lmlab.command.experiment import build_trainer, resolve
from lmlab.command.rehearse import rehearse
from lmlab.run.checkpoint import DurableCheckpointIO
from lmlab.strategy.deepspeed import DeepSpeed, check_machine
from lmlab.types import Mistake


@pytest.fixture
def package(monkeypatch):
    """A stand-in for the package, on a machine that is taken for one with CUDA."""
    found = ModuleType("deepspeed")
    found.utils = SimpleNamespace(logging=SimpleNamespace(logger=SimpleNamespace(setLevel=lambda level: None)))
    monkeypatch.setitem(sys.modules, "deepspeed", found)
    for known in ("_DEEPSPEED_AVAILABLE", "_DEEPSPEED_GREATER_EQUAL_0_16"):
        monkeypatch.setattr(lightning_s, known, True)
    monkeypatch.setattr(building, "check_machine", lambda accelerator: None)


@pytest.mark.parametrize("verb", [["train"], ["check"], ["train", "-m", "seed=1,2"]])
def test_a_machine_without_cuda_is_refused_in_one_sentence(verb, tiny, capsys, tmp_path):
    assert cli.run([*verb, *tiny("strategy=deepspeed", f"output_dir={tmp_path}")]) == 2
    assert (
        "strategy=deepspeed needs CUDA, and this run is on cpu; choose strategy=ddp or fsdp" in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named():
    with pytest.raises(Mistake, match=r"pip install .deepspeed"):
        check_machine("cuda")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer=muon"], "choose optimizer=adamw"),
        (["batch.micro_size=1"], "set batch.micro_size=4"),
        (["guard.on_nan=skip"], "set guard.on_nan=stop"),
        (["ema.decay=0.9"], "set ema.decay=null"),
        (["strategy.stage=3"], "expected 1 or 2"),
    ],
)
def test_what_needs_the_gradients_or_all_of_the_state_is_refused(words, said, tiny, package):
    chosen = ["strategy=deepspeed", *([] if "optimizer=muon" in words else ["optimizer=adamw"])]
    with pytest.raises(Mistake, match=said):
        rehearse(resolve(config.compose(tiny(*chosen, *words))))


def test_a_run_with_a_checkpoint_does_not_change_to_it(tiny, package, tmp_path, capsys):
    assert cli.run(["train", *tiny("optimizer=adamw", f"output_dir={tmp_path}")]) == 0
    (run,) = tmp_path.glob("*/*/run.json")
    assert cli.run(["resume", str(run.parent), "strategy=deepspeed", "trainer.max_steps=4"]) == 2
    assert "goes on from no checkpoint" in capsys.readouterr().err


def test_its_options_and_the_clipping_are_lightning_s(tiny, package, tmp_path):
    words = (
        "strategy=deepspeed",
        "strategy.stage=1",
        "strategy.offload_optimizer=true",
        "trainer.gradient_clip_val=0.5",
    )
    trainer = build_trainer(resolve(config.compose(tiny(*words))), callbacks=[], plugins=[], folder=tmp_path)
    zero = trainer.strategy.config["zero_optimization"]
    assert (zero["stage"], zero["offload_optimizer"]["device"]) == (1, "cpu")
    assert trainer.gradient_clip_val == 0.5
    assert trainer.strategy.launcher is None
    assert trainer.strategy.cluster_environment.creates_processes_externally


def test_weights_are_a_file_of_lmlab_s_and_nothing_is_written_to_go_on_from(package, tmp_path):
    strategy = DeepSpeed(stage=2, offload_optimizer=False)
    strategy.checkpoint_io = DurableCheckpointIO()
    module, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    strategy._lightning_module = other
    strategy.save_checkpoint({"state_dict": module.state_dict()}, tmp_path / "best.ckpt")
    strategy.save_checkpoint({"state_dict": {}, "optimizer_states": [{}]}, tmp_path / "step_00000001.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]
    strategy.load_model_state_dict(strategy.checkpoint_io.load_checkpoint(tmp_path / "best.ckpt"))
    assert torch.equal(module.weight, other.weight)
