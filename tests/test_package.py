"""The wheel works away from the checkout: configuration and page parts are in it, and a user's own come first."""

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

pytest.importorskip("hatchling", reason="building the wheel needs hatchling: pip install -e '.[dev]'")

OF_TORCH = ("nvidia-", "cuda-", "triton")  # what torch's build for a device pins itself

DOT_OF_MINE = """# A dot of mine
defaults:
  - dot
  - _self_
num_heads: 2
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return target


def lmlab(installed: Path, cwd: Path, *words: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(installed), **variables}
    command = [sys.executable, "-m", "lmlab", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_holds_every_file_that_git_knows_of_conf_and_experiments_and_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, place in (("conf", "lmlab/conf"), ("experiments", "lmlab/experiments"), ("src/lmlab", "lmlab")):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".yaml", ".py", ".css", ".js"):
                assert f"{place}/{path.relative_to(ROOT / folder)}" in names
    assert {"lmlab/report/page.css", "lmlab/report/page.js", "lmlab/conf/train.yaml"} <= names


def test_the_wheel_holds_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    strange = [name for name in names if not name.startswith(("lmlab/", "lmlab-")) or "__pycache__" in name]
    assert not strange


def test_from_the_wheel_groups_are_listed_with_the_wheels_own_files(installed, tmp_path):
    done = lmlab(installed, tmp_path, "list", "model")
    assert done.returncode == 0, done.stderr
    assert {"rnn", "lstm", "gru", "transformer"} <= {line.split()[0] for line in done.stdout.splitlines()}
    roots = "from lmlab import tree; print(*tree.roots(), sep='\\n')"
    found = subprocess.run(
        [sys.executable, "-c", roots], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)}, text=True,
        capture_output=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    assert found[:2] == [str(installed.resolve() / "lmlab" / name) for name in ("conf", "experiments")]


def test_from_the_wheel_an_experiment_composes(installed, tmp_path):
    done = lmlab(installed, tmp_path, "train", "paper=karpathy2022/shakespeare_cpu", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "max_steps: 2000" in done.stdout


def test_from_the_wheel_the_users_conf_and_lmlab_conf_come_first(installed, tmp_path):
    for folder, name in ((tmp_path / "conf", "mine"), (tmp_path / "elsewhere", "named")):
        (folder / "model" / "attention").mkdir(parents=True)
        (folder / "model" / "attention" / f"{name}.yaml").write_text(DOT_OF_MINE)
        (folder / "schedule").mkdir()
        (folder / "schedule" / "constant.yaml").write_text(f"# {name}\nwarmup_steps: {len(name)}\n")
    variables = {"LMLAB_CONF": str(tmp_path / "elsewhere")}
    listed = lmlab(installed, tmp_path, "list", "model/attention", **variables).stdout
    assert "mine" in listed
    assert "named" in listed
    one = lmlab(installed, tmp_path, "train", "model/attention=mine", "schedule=constant", "--cfg", "job")
    assert "num_heads: 2" in one.stdout, one.stderr
    assert "warmup_steps: 4" in one.stdout
    both = lmlab(installed, tmp_path, "train", "schedule=constant", "--cfg", "job", **variables)
    assert "warmup_steps: 5" in both.stdout


def test_constraints_pin_everything_that_the_tests_are_installed_with():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(line.partition("==")[0]) for line in lines if not line.startswith("#")}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if not line.startswith("#"))
    needed = installed_for("lmlab", frozenset({"dev"}))
    assert not {name for name in needed - pins if not name.startswith(OF_TORCH)}


def installed_for(name: str, extras: frozenset[str]) -> set[str]:
    """What a distribution needs on this machine, and what that needs in turn."""
    found: set[str] = set()
    waiting = [(name, extras)]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        for line in needs_of(name):
            need = Requirement(line)
            if need.marker and not any(need.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                continue
            follower = (canonicalize_name(need.name), frozenset(need.extras))
            found.add(follower[0])
            if follower not in seen:
                seen.add(follower)
                waiting.append(follower)
    return found


def needs_of(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []
