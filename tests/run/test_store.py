"""One run per identity, found in one look-up, whatever else happens at the same moment."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from lmlab.run import store
from lmlab.run.folder import RunFolder
from lmlab.run.lock import Lock
from lmlab.types import Mistake

RACE = (
    "import sys; from pathlib import Path; from lmlab.run import store\n"
    "print('ready', flush=True); sys.stdin.readline()\n"
    "run, opened = store.open_run(output_dir=Path(sys.argv[1]), project='p', identity='same', config={}, "
    "fresh=sys.argv[2] == 'fresh')\n"
    "print(opened, run.id, flush=True)\n"
)


def test_a_new_identity_makes_a_run(tmp_path):
    run, opened = _open(tmp_path, config={"seed": 1}, overrides=["seed=1"], name="first", fingerprint="f")
    assert opened == "new"
    assert run.path.parent == tmp_path / "p"
    assert (run.config, run.overrides, run.name, run.fingerprint) == ({"seed": 1}, ["seed=1"], "first", "f")
    assert store.find_by_identity(tmp_path, "same") == run
    assert store.find_by_identity(tmp_path, "other") is None


def test_an_unfinished_run_is_continued_and_a_finished_one_shown(tmp_path):
    run, _ = _open(tmp_path)
    assert _open(tmp_path) == (run, "continued")
    run.write_summary({"status": "failed"})
    assert _open(tmp_path) == (run, "continued")
    run.write_summary({"status": "finished"})
    assert _open(tmp_path) == (run, "finished")


def test_a_running_run_is_the_user_s_mistake(tmp_path):
    run, _ = _open(tmp_path)
    with Lock(run.path), pytest.raises(Mistake, match=rf"{run.id} is running on .* process {os.getpid()} .*fresh=true"):
        _open(tmp_path)


def test_fresh_makes_another_run_which_is_the_one_from_then_on(tmp_path):
    first, _ = _open(tmp_path)
    with Lock(first.path):
        second, opened = _open(tmp_path, fresh=True)
    assert opened == "new"
    assert second != first
    assert _open(tmp_path) == (second, "continued")
    assert first.path.exists()


def test_a_deleted_run_is_forgotten(tmp_path):
    first, _ = _open(tmp_path)
    shutil.rmtree(first.path)
    assert store.find_by_identity(tmp_path, "same") is None
    second, opened = _open(tmp_path)
    assert opened == "new"
    assert store.find_by_identity(tmp_path, "same") == second


def test_a_moved_output_folder_keeps_its_runs(tmp_path):
    run, _ = _open(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert store.find_by_identity(tmp_path / "b", "same").id == run.id
    assert store.find("latest", tmp_path / "b").id == run.id


@pytest.mark.parametrize("before", ["nothing", "a deleted run"])
def test_of_equal_commands_that_start_together_one_makes_the_run(tmp_path, before):
    if before == "a deleted run":
        shutil.rmtree(_open(tmp_path)[0].path)
    results = _race(tmp_path, "once")
    assert sorted(opened for opened, _ in results) == ["continued"] * 4 + ["new"]
    assert len({id for _, id in results}) == 1
    assert len(store.runs(tmp_path)) == 1


def test_commands_that_start_anew_together_each_make_a_run(tmp_path):
    results = _race(tmp_path, "fresh")
    assert [opened for opened, _ in results] == ["new"] * 5
    assert {id for _, id in results} == {run.id for run in store.runs(tmp_path)}
    assert len(store.runs(tmp_path)) == 5


def test_a_run_is_found_by_path_id_prefix_name_and_latest(tmp_path):
    first = _create(tmp_path, "20260101-000000-aaaa", name="baseline")
    second = _create(tmp_path, "20260202-000000-bbbb")
    for target in (str(first.path), first.id, f"p/{first.id}", "20260101", "baseline"):
        assert store.find(target, tmp_path).id == first.id
    assert store.find("latest", tmp_path).id == second.id  # no link: the newest
    store.link_latest(tmp_path, first)
    assert store.find("latest", tmp_path).id == first.id
    shutil.rmtree(first.path)
    assert store.find("latest", tmp_path).id == second.id  # the link leads nowhere


def test_a_run_is_found_from_the_output_folder_by_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, _ = _open(store.Path("runs"))
    assert store.find("latest", store.Path("runs")).path == run.path.resolve()
    store.link_latest(store.Path("runs"), store.find(run.id, store.Path("runs")))
    assert os.readlink("runs/latest") == f"p/{run.id}"


def test_an_ambiguous_target_names_its_runs(tmp_path):
    for id in ("20260101-000000-aaaa", "20260101-000000-bbbb"):
        _create(tmp_path, id, name="baseline")
    for target in ("20260101", "baseline"):
        with pytest.raises(Mistake, match=r"2 runs.*20260101-000000-aaaa, 20260101-000000-bbbb"):
            store.find(target, tmp_path)


def test_an_unknown_target_names_the_nearest(tmp_path):
    with pytest.raises(Mistake, match="holds none yet"):
        store.find("latest", tmp_path)
    _create(tmp_path, "20260101-000000-aaaa", name="baseline")
    with pytest.raises(Mistake, match=r"no run 'basline' in .*nearest: baseline"):
        store.find("basline", tmp_path)


def test_a_half_made_run_is_no_run(tmp_path):
    (tmp_path / "p" / "20260101-000000-aaaa").mkdir(parents=True)
    assert store.runs(tmp_path) == []


def test_an_output_folder_that_cannot_be_written_is_the_user_s_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Mistake, match=r"output_dir=.*file/runs cannot be written.*LMLAB_RUNS"):
        _open(tmp_path / "file" / "runs")


def test_a_full_output_folder_is_the_user_s_mistake(tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lmlab.run.json_file.write_text", full)
    with pytest.raises(Mistake, match=r"No space left.*LMLAB_RUNS"):
        _open(tmp_path)


@pytest.mark.parametrize("project", ["", "a/b", "../a", ".a", "latest"])
def test_a_project_that_cannot_name_a_folder_is_the_user_s_mistake(tmp_path, project):
    with pytest.raises(Mistake, match="project="):
        store.create(output_dir=tmp_path, project=project, config={}, manifest={})


def test_ten_thousand_runs_are_listed_and_looked_up_in_well_under_a_second(tmp_path):
    for number in range(10_000):
        run = tmp_path / "p" / f"20260101-000000-{number:04d}"
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
        claims = tmp_path / ".identity" / f"identity{number}"
        claims.mkdir(parents=True)
        (claims / "1").write_text(f"p/{run.name}")
    start = time.perf_counter()
    assert store.find_by_identity(tmp_path, "identity9998").id == "20260101-000000-9998"
    looked_up = time.perf_counter()
    assert len(store.runs(tmp_path)) == 10_000
    assert looked_up - start < 0.1
    assert time.perf_counter() - looked_up < 2


def test_free_space_is_known_of_a_folder_that_is_not_there_yet(tmp_path):
    assert store.free_space(tmp_path / "a" / "b") > 0


def _open(output_dir, **changes):
    return store.open_run(**{"output_dir": output_dir, "project": "p", "identity": "same", "config": {}, **changes})


def _create(output_dir, id, **manifest) -> RunFolder:
    return store.create(output_dir=output_dir, project="p", config={}, manifest=manifest, id=id)


def _race(output_dir, how):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen([sys.executable, "-c", RACE, output_dir, how], **pipes) for _ in range(5)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return [tuple(racer.communicate()[0].split()) for racer in racers]
