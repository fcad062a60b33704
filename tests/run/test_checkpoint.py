"""A checkpoint is whole or not there; a damaged one is known by its checksums and the one before is taken."""

import logging
import multiprocessing
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lmlab.run import checkpoint
from lmlab.run.checkpoint import DurableCheckpointIO, fingerprint, load, newest, path_of, save

ELEMENTS = 1_250_000
"""Of float32: 5 MB."""


def state(step: int, elements: int = 50_000) -> dict[str, Any]:
    return {"state_dict": {"weight": torch.full((elements,), float(step))}, "lmlab": {"step": step, "carried": {}}}


def write_for_ever(folder: str, first: int) -> None:
    """In a process that will be killed: one checkpoint after the other, the newest two kept."""
    torch.set_num_threads(1)  # the parent's pool of threads is not there after a fork
    parent, step = os.getppid(), first
    while os.getppid() == parent:
        save(state(step, ELEMENTS), path_of(Path(folder), step))
        for old in checkpoint.saved_steps(Path(folder))[2:]:
            old.unlink()
        step += 1


def test_whatever_a_kill_leaves_under_the_final_name_loads(tmp_path):
    forks = multiprocessing.get_context("fork")
    chance, kills_in_a_save, step = random.Random(1), 0, 1
    for _ in range(25):
        process = forks.Process(target=write_for_ever, args=(str(tmp_path), step))
        process.start()
        # At a size of the file being written that is drawn at random, from nothing to all of it.
        wanted = chance.randrange(ELEMENTS * 4)
        while not any(size >= wanted for size in sizes(tmp_path)):
            assert process.is_alive()
        process.kill()
        process.join()
        kills_in_a_save += bool(sizes(tmp_path))
        for path in tmp_path.glob("step_*.ckpt"):
            found = load(path)
            assert (found["state_dict"]["weight"] == found["lmlab"]["step"]).all()
        checkpoint.remove_leftovers(tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} <= {".ckpt"}
        step = checkpoint.step_of(saved[0]) + 1 if (saved := checkpoint.saved_steps(tmp_path)) else 1
    assert kills_in_a_save >= 5


def sizes(folder: Path) -> list[int]:
    """Of the files being written."""
    found = []
    for beside in folder.glob("*.tmp-*"):
        try:
            found.append(beside.stat().st_size)
        except FileNotFoundError:
            continue
    return found


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8  # far inside the tensor
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def replaced(path: Path) -> None:
    path.write_text("<html>quota exceeded</html>" * 100)


def headless(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes(4096) + content[4096:])  # a page that never reached the disk


def tailless(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + bytes(4096))


DAMAGES = (cut_short, flipped, emptied, replaced, headless, tailless)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_falls_back_to_the_one_before_and_says_so(tmp_path, caplog, damage):
    for step in (5, 10):
        save(state(step), path_of(tmp_path, step))
    damage(path_of(tmp_path, 10))
    with pytest.raises(OSError, match="is damaged"):
        load(path_of(tmp_path, 10))
    with caplog.at_level(logging.WARNING):
        path, found = newest(tmp_path)
    assert (path, found["lmlab"]["step"]) == (path_of(tmp_path, 5), 5)
    assert "step_00000010.ckpt is damaged" in caplog.text
    assert "falling back to the checkpoint before" in caplog.text


def test_where_all_are_damaged_or_none_is_there_is_none(tmp_path):
    assert newest(tmp_path) is None
    save(state(5), path_of(tmp_path, 5))
    emptied(path_of(tmp_path, 5))
    assert newest(tmp_path) is None


def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        load(tmp_path / "step_00000001.ckpt")


def test_steps_are_ordered_as_numbers(tmp_path):
    for step in (99999999, 100000000, 7):
        path_of(tmp_path, step).touch()
    (tmp_path / "step_7.ckpt.tmp-12").touch()
    (tmp_path / "best.ckpt").touch()
    assert [checkpoint.step_of(path) for path in checkpoint.saved_steps(tmp_path)] == [100000000, 99999999, 7]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one MiB, on which five checkpoints of 200 kB have no room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_full_disk_keeps_what_was_there(small_disk):
    for step in range(1, 6):
        save(state(step), path_of(small_disk, step))
    with pytest.raises(OSError, match=r"No space left|cannot write"):
        save(state(6), path_of(small_disk, 6))
    saved = checkpoint.saved_steps(small_disk)
    assert len(saved) == 5
    assert [load(path)["lmlab"]["step"] for path in saved] == [5, 4, 3, 2, 1]
    assert not list(small_disk.glob("*.tmp-*"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("zip")])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, error):
    path = path_of(tmp_path, 3)
    save(state(3), path)

    def half(value: Any, file: Any) -> None:
        file.write(b"half of it")
        raise error

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OSError):
        save(state(4), path)
    assert list(tmp_path.iterdir()) == [path]
    assert load(path)["lmlab"]["step"] == 3


def test_every_checkpoint_is_read_with_weights_only(tmp_path):
    tensors = {"a": torch.rand(3, dtype=torch.float64), "b": torch.arange(5), "c": torch.rand(2).bfloat16()}
    content = {"state_dict": tensors, "plain": [1, 2.5, None, "x", {"y": (True, "世界")}]}
    DurableCheckpointIO().save_checkpoint(content, str(tmp_path / "a.ckpt"))
    found = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert found["plain"] == content["plain"]
    assert all(torch.equal(found["state_dict"][name], tensor) for name, tensor in tensors.items())
    DurableCheckpointIO().remove_checkpoint(tmp_path / "a.ckpt")
    assert not list(tmp_path.iterdir())


def test_the_fingerprint_is_of_bits_names_types_and_shapes():
    base = {"b": torch.tensor([0.0, 1.0]), "a": torch.tensor([[2.0, 3.0]])}
    others = [
        {**base, "b": torch.tensor([-0.0, 1.0])},
        {**base, "b": torch.tensor([0.0, 1.0 + 2**-23])},
        {**base, "b": torch.tensor([0.0, 1.0], dtype=torch.float64)},
        {**base, "a": torch.tensor([[2.0], [3.0]])},
        {"c": base["b"], "a": base["a"]},
        {"b": base["a"][0], "a": base["b"][None]},
        {"b": base["b"]},
    ]
    assert len({fingerprint(one) for one in [base, *others]}) == len(others) + 1


def test_the_fingerprint_does_not_depend_on_order_layout_or_memory():
    weight = torch.arange(12.0).reshape(3, 4)
    expected = fingerprint({"a": weight, "b": torch.tensor(5)})
    assert fingerprint({"b": torch.tensor(5), "a": weight.clone()}) == expected
    assert fingerprint({"a": weight.t().contiguous().t(), "b": torch.tensor(5)}) == expected
    assert fingerprint({"a": torch.nn.Parameter(weight), "b": torch.tensor(5)}) == expected
