"""make: names the Python it wants, makes the environment once, and again only when what it is made from changes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A Python that only notes what it is asked for; a virtual environment holds the same one.
STAND_IN = """#!/bin/sh
echo "$@" >> "{log}"
case "$1 $2" in
  "--version ") echo "Python {version}" ;;
  "-c "*) exit {is_old} ;;
  "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def stand_in(folder: Path, version: str) -> Path:
    path = folder / f"python{version}"
    is_old = int(version < "3.11")
    path.write_text(STAND_IN.format(log=folder / "asked.log", version=version, is_old=is_old))
    path.chmod(0o755)
    return path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, env=environment, check=False)


def installs(folder: Path) -> int:
    return (folder / "asked.log").read_text().count("pip install")


def test_a_missing_python_is_named(checkout):
    done = make(checkout, "docs", "PYTHON=python-that-is-not-there")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer, and 'python-that-is-not-there' is missing" in done.stdout
    assert "make PYTHON=python3.12 docs" in done.stdout


def test_an_old_python_is_named_with_its_version(checkout):
    done = make(checkout, "demo", f"PYTHON={stand_in(checkout, '3.10')}")
    assert done.returncode != 0
    assert "is Python 3.10" in done.stdout
    assert not (checkout / ".venv").exists()


def test_a_second_make_installs_nothing_and_a_changed_pin_does(checkout):
    python = f"PYTHON={stand_in(checkout, '3.11')}"
    assert make(checkout, "docs", python).returncode == 0
    assert make(checkout, "docs", python).returncode == 0
    assert installs(checkout) == 1
    later = (checkout / ".venv" / ".ready").stat().st_mtime + 10
    os.utime(checkout / "constraints.txt", (later, later))
    assert make(checkout, "docs", python).returncode == 0
    assert installs(checkout) == 2


def test_the_installation_is_pinned_and_the_steps_reach_the_demo(checkout):
    make(checkout, "demo", "STEPS=7", f"PYTHON={stand_in(checkout, '3.12')}")
    asked = (checkout / "asked.log").read_text()
    assert "--constraint constraints.txt" in asked
    assert "scripts/demo.py trainer.max_steps=7" in asked


def test_help_lists_every_target():
    shown = make(ROOT, "help").stdout
    assert {line.split()[0] for line in shown.splitlines()} == {
        "demo",
        "test",
        "quick",
        "lint",
        "docs",
        "clean",
        "help",
    }
