"""A sweep as W&B's own client and agent take it."""

import os
import queue
import re
import sys
from pathlib import Path

import pytest
import yaml
from wandb.apis.public.sweeps import _validate_config_and_fill_distribution
from wandb.wandb_agent import Agent

from lmlab import cli
from lmlab import config as configuration
from lmlab.launcher.files import COMMAND
from lmlab.launcher.table import Table
from lmlab.launcher.wandb_sweep import wandb_sweeps, without_file
from lmlab.run import json_file
from lmlab.run.store import find
from lmlab.types import Mistake


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """The folder of a sweep of this command line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMLAB_SWEEPS", str(tmp_path / "sweeps"))

    def made(*overrides):
        folder = tmp_path / "sweeps" / "s"
        folder.mkdir(parents=True)
        Table(folder).make()
        json_file.write_text(folder / COMMAND, yaml.safe_dump(list(overrides)))
        return folder

    return made


def exported(folder, name="wandb_sweep.yaml"):
    assert cli.run(["export", str(folder), "format=wandb_sweep"]) == 0
    return yaml.safe_load((folder / name).read_text())


SPACES = {
    "grid": (
        ["model=rnn,lstm", "optimizer.lr=1e-3,3e-4", "seed=1,2", "trainer.max_steps=9"],
        {"model": {"values": ["rnn", "lstm"]}, "optimizer.lr": {"values": [1e-3, 3e-4]}, "seed": {"values": [1, 2]}},
    ),
    "part": (["model/norm=layer_norm,rms_norm"], {"model.norm": {"values": ["layer_norm", "rms_norm"]}}),
    "words": (
        ["ema.decay=null,0.9", "optimizer.fused=true,false", "optimizer.betas=[0.9,0.95],[0.9,0.99]"],
        {
            "ema.decay": {"values": ["null", 0.9]},
            "optimizer.fused": {"values": ["True", "False"]},
            "optimizer.betas": {"values": ["[0.9,0.95]", "[0.9,0.99]"]},
        },
    ),
    "intervals": (
        [
            "sweep.search=tpe",
            "sweep.num_trials=7",
            "optimizer.lr=tag(log,interval(1e-4,1e-2))",
            "model.dropout=interval(0.0,0.5)",
            "model.dim=interval(16,64)",
            "batch.size=tag(log,interval(2,16))",
        ],
        {
            "optimizer.lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
            "model.dropout": {"distribution": "uniform", "min": 0.0, "max": 0.5},
            "model.dim": {"distribution": "int_uniform", "min": 16, "max": 64},
            "batch.size": {"distribution": "q_log_uniform_values", "q": 1, "min": 2, "max": 16},
        },
    ),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_space_is_written_in_wandbs_form_and_its_client_takes_it(space, sweep):
    overrides, parameters = space
    config = exported(sweep(*overrides))
    assert config["parameters"] == parameters
    assert config["method"] == ("bayes" if "sweep.search=tpe" in overrides else "grid")
    assert config["metric"] == {"name": "val/loss", "goal": "minimize"}
    assert config.get("run_cap") == (7 if "sweep.search=tpe" in overrides else None)
    assert not [word for word in config["command"] if word.startswith("sweep.")]
    _validate_config_and_fill_distribution(config)
    # What W&B's server checks, by its published schema: the names of parameters.
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name) for name in config["parameters"])


def test_every_grid_becomes_a_file(sweep, capsys):
    folder = sweep("sweep=heads")
    first = exported(folder, "wandb_sweep-1.yaml")
    assert len(capsys.readouterr().out.splitlines()) == 4
    second = yaml.safe_load((folder / "wandb_sweep-2.yaml").read_text())
    assert {*first["parameters"]} == {"model.attention.num_heads", "seed"}
    assert {*second["parameters"]} == {"model", "seed"}
    assert first["command"] == second["command"]


@pytest.mark.parametrize("name", configuration.groups()["sweep"])
def test_what_the_file_of_a_sweep_sets_is_typed(name):
    whole = configuration.compose([f"sweep={name}", "trainer.max_steps=7"])
    typed = configuration.compose(without_file([f"sweep={name}", "trainer.max_steps=7"]))
    whole.sweep = typed.sweep = None
    assert whole == typed


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.dim=16,32", "sweep.search=nsga2", "sweep.metric=[val/loss,parameters]"], "one objective"),
        (["sweep.zip={model.dim:[8,16],model.num_layers:[1,2]}"], "vary together"),
        (["model=lstm,gru", "sweep.match=params"], "cannot match"),
        (["model.dim=16,32", "sweep.search=tpe", "seed=1,2"], "no replicates"),
    ],
)
def test_what_wandb_has_no_form_for_is_a_sentence(overrides, said):
    with pytest.raises(Mistake, match=said):
        wandb_sweeps(overrides, "s")


def test_pruning_is_wandbs_hyperband_or_left_out(caplog):
    search = ["model.dim=16,32", "sweep.search=random"]
    (asha,) = wandb_sweeps([*search, "sweep.pruner=asha"], "s")
    assert asha["early_terminate"] == {"type": "hyperband", "min_iter": 1, "eta": 3}
    (median,) = wandb_sweeps([*search, "sweep.pruner=median"], "s")
    assert "early_terminate" not in median
    assert "sweep.pruner=median is left out" in caplog.text


@pytest.mark.slow
def test_wandbs_agent_runs_the_job_as_the_run_that_its_server_made(sweep, tiny, tmp_path, monkeypatch):
    fixed = [word for word in tiny("trainer.max_steps=2", "trainer.val_check_interval=1") if "model=" not in word]
    config = exported(sweep(*fixed, "model=rnn,transformer", "optimizer.lr=0.01,0.02", "model/norm=rms_norm"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in {"WANDB_SWEEP_ID": "sweep1", "WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LMLAB_RUNS", str(tmp_path / "runs"))
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        monkeypatch.setenv(name, "set by the agent")  # so that it is taken back after the test
    agent = Agent(api=None, queue=queue.Queue())
    agent._sweep_command = config["command"]
    proposed = {"model": {"value": "transformer"}, "optimizer.lr": {"value": 0.02}}
    agent._command_run({"run_id": "abc123", "program": config["program"], "args": proposed})
    assert agent._run_processes["abc123"].wait() == 0
    run = find("latest", tmp_path / "runs")
    assert run.config["optimizer"]["lr"] == 0.02
    assert "norm" in run.config["model"]
    assert [path.name for path in run.path.glob("wandb/offline-run-*/run-*.wandb")] == ["run-abc123.wandb"]
