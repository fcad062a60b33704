"""Provenance names all that a run was made with, and its diff rebuilds the code."""

import json
import os
import subprocess
import sys

import pytest

from lmlab.run import code
from lmlab.run.environment import environment, packages

GIT = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    root.mkdir()
    _git(root, "init", "-q")
    (root / "types.py").write_text("a = 1\n")
    (root / ".gitignore").write_text("ignored.py\n")
    _git(root, "add", ".")
    _git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_the_environment_is_plain_and_names_what_a_result_depends_on(run):
    found = environment(folder=run, threads=3, fingerprint="f", command=["lmlab", "train", "prompt=a b"])
    assert json.loads(json.dumps(found)) == found
    assert (found["threads"], found["fingerprint"], found["command"]) == (3, "f", "lmlab train 'prompt=a b'")
    assert found["packages"]["torch"]
    assert found["hardware"]["cores"] >= 1
    assert found["hardware"]["cpu"]
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_all_installed_packages_are_named_with_their_version():
    assert packages()["pytest"] == pytest.__version__


def test_a_clean_checkout_has_a_commit_and_no_diff(checkout, run):
    (run / "code.diff").write_text("of an earlier start")
    (state,) = code.state(run, package=checkout, cwd=checkout)
    assert state["commit"] == _git(checkout, "rev-parse", "HEAD").strip()
    assert not state["is_changed"]
    assert not (run / "code.diff").exists()


def test_commit_and_diff_together_rebuild_the_changed_code(checkout, run, tmp_path):
    (checkout / "types.py").write_text("a = 2\n")
    (checkout / "staged.py").write_text("s = 1\n")
    _git(checkout, "add", "staged.py")
    (checkout / "new 世界.py").write_text("b = 1\n")
    (checkout / "notes.txt").write_text("private")
    (checkout / "ignored.py").write_text("private")
    status = _git(checkout, "status", "--porcelain")
    (state,) = code.state(run, package=checkout, cwd=checkout)
    assert _git(checkout, "status", "--porcelain") == status  # looking changed nothing
    assert state["is_changed"]
    assert sorted(state["untracked"]) == ["new 世界.py", "notes.txt"]
    diff = (run / "code.diff").read_text(encoding="utf-8")
    assert "private" not in diff
    _git(tmp_path, "clone", "-q", str(checkout), "clone")
    _git(tmp_path / "clone", "apply", str(run / "code.diff"))
    for name in ("types.py", "staged.py", "new 世界.py"):
        assert (tmp_path / "clone" / name).read_text() == (checkout / name).read_text()


def test_a_long_diff_is_cut_off_and_said_to_be(checkout, run, monkeypatch):
    monkeypatch.setattr(code, "MAX_DIFF", 100)
    (checkout / "types.py").write_text("a = 2\n" * 100)
    (state,) = code.state(run, package=checkout, cwd=checkout)
    assert not state["is_diff_complete"]
    assert (run / "code.diff").stat().st_size < 200


def test_the_user_s_own_checkout_is_recorded_beside_lmlab_s(checkout, run, tmp_path):
    other = tmp_path / "own"
    other.mkdir()
    _git(other, "init", "-q")
    (other / "mine.py").write_text("c = 1\n")
    first, second = code.state(run, package=checkout, cwd=other)
    assert (first["folder"], second["folder"]) == (str(checkout), str(other))
    assert second["commit"] == ""
    assert second["is_changed"]


def test_an_installed_package_below_somebody_s_checkout_is_not_that_checkout(checkout, run, tmp_path):
    installed = checkout / ".venv" / "lmlab"
    installed.mkdir(parents=True)
    (installed / "types.py").write_text("")
    assert code.state(run, package=installed, cwd=tmp_path) == []


def test_no_git_is_no_mistake(checkout, run, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert code.state(run, package=checkout, cwd=checkout) == []


def _git(root, *arguments):
    command = ["git", "-C", str(root), "-c", "core.quotepath=off", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **GIT}).stdout
