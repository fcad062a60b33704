import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lmlab import cli
from lmlab.run import checkpoint
from lmlab.run.store import find


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    overrides = ("trainer.max_steps=4", "checkpoint.every=1", "trainer.val_check_interval=1", f"output_dir={folder}")
    assert cli.run(["train", *tiny(*overrides)]) == 0
    return find("latest", folder)


@pytest.mark.parametrize("which", ["best", "last"])
def test_every_tensor_of_a_checkpoint_is_in_the_file(run, which, tmp_path, capsys):
    path = tmp_path / "new folder" / "x.safetensors"
    assert cli.run(["export", str(run.path), "format=safetensors", f"checkpoint={which}", f"path={path}"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    best = checkpoint.load(run.checkpoints / "best.ckpt")
    source = best if which == "best" else checkpoint.newest(run.checkpoints)[1]
    found = load_file(path)
    assert found.keys() == source["state_dict"].keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in source["state_dict"].items())
    with safe_open(path, "pt") as file:
        about = file.metadata()
    assert (about["run"], about["checkpoint"]) == (run.id, which)
    assert json.loads(about["config"])["model"]["dim"] == 16


def test_it_stands_in_the_run_folder_where_no_path_is_given(run, capsys):
    assert cli.run(["export", str(run.path)]) == 0
    assert load_file(run.path / "weights.safetensors")
    assert not list(run.path.glob("*.tmp"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["format=onnx"], "format=onnx is wrong: expected safetensors"),
        (["checkpoint=none.ckpt"], "there is no checkpoint 'none.ckpt'"),
        (["path=/proc/x/y"], "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(run, words, said, capsys):
    assert cli.run(["export", str(run.path), *words]) == 2
    assert said in capsys.readouterr().err
