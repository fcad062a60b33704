"""Every verb, on one tiny trained run."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.command import completion
from lmlab.run.store import find, runs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("verbs") / "runs"


@pytest.fixture(scope="module")
def trained(runs_folder, tiny):
    """A finished run of 4 steps under the name `first`; most tests only read it."""
    assert cli.run(["train", *tiny("name=first", "trainer.max_steps=4", f"output_dir={runs_folder}")]) == 0
    return find("latest", runs_folder)


@pytest.fixture(autouse=True)
def _here(trained, runs_folder, monkeypatch):
    monkeypatch.setenv("LMLAB_RUNS", str(runs_folder))


@pytest.fixture
def out(capfd):
    """What a command line prints."""

    def run(*arguments, code=0):
        capfd.readouterr()
        assert cli.run(list(arguments)) == code
        return capfd.readouterr().out

    return run


# Looking at runs.


def test_runs_are_filtered_sorted_and_shown_in_every_form(out, trained):
    rows = list(csv.DictReader(io.StringIO(out("runs", "name=first", "columns=id,model.dim,val/loss", "format=csv"))))
    assert [(row["id"], row["model.dim"]) for row in rows] == [(trained.id, "16")]
    assert float(rows[0]["val/loss"]) == pytest.approx(trained.summary["val/loss"])
    assert trained.id in out("runs", "val/loss<100", "sort=-val/loss")
    assert trained.id not in out("runs", "model.dim=128")
    assert out("runs", "format=markdown").startswith("| id")


@pytest.mark.parametrize("verb", [["runs"], ["status"], ["logs"], ["report"], ["diff", "first", "first"]], ids=" ".join)
def test_what_only_reads_folders_imports_no_torch(verb, trained):
    code = f"import sys; from lmlab import cli; cli.run({verb!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_no_runs_yet_is_no_mistake(out, monkeypatch, tmp_path):
    monkeypatch.setenv("LMLAB_RUNS", str(tmp_path / "none"))
    assert out("runs") == ""


@pytest.mark.parametrize("name", ["latest", "first", "id", "prefix", "path"])
def test_a_target_is_a_path_an_id_its_beginning_a_name_or_latest(out, trained, name):
    target = {"id": trained.id, "prefix": trained.id[:-2], "path": str(trained.path)}.get(name, name)
    assert out("report", target).strip() == str(trained.path / "report.html")


def test_diff_of_a_run_with_itself_says_the_same(out):
    assert "the weights are the same bits" in out("diff", "first", "latest")


def test_the_result_is_printed_again_for_the_same_experiment(out, tiny, trained, runs_folder):
    arguments = tiny("trainer.max_steps=4", f"output_dir={runs_folder}")
    assert trained.summary["weights_sha256"] in out("train", *arguments)
    assert len(runs(runs_folder)) == 1


# What a command would do.


def test_check_says_what_each_value_comes_from_and_what_training_costs(out, tiny, runs_folder):
    shown = out("check", "train", *tiny("seed=5", f"output_dir={runs_folder}"))
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in shown.splitlines() if line}
    assert lines["seed"] == "5 command line"
    assert lines["model.dim"] == "16 command line"
    assert lines["checkpoint.every"].endswith("conf/train.yaml")
    assert lines["model.norm_first"] == "true conf/model/transformer.yaml"
    assert lines["model.attention.bias"] == "false conf/model/attention/scaled_dot.yaml"
    assert "on this machine" in lines["trainer.precision"]
    assert int(lines["parameters"].replace(",", "")) > 1000
    assert lines["training"].startswith("FLOPs")
    assert lines["steps"].startswith("2 of 4 x 12 tokens")
    assert lines["tokens"].startswith("96, ")
    assert len(runs(runs_folder)) == 1


def test_check_names_the_size_that_training_counts(out, tiny, trained, runs_folder):
    shown = out("check", *tiny(f"output_dir={runs_folder}"))
    assert f"{trained.summary['parameters']:,}" in shown


def test_prepare_fills_the_cache_that_training_reads(out, tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("LMLAB_CACHE", str(tmp_path / "cache"))
    shown = out("prepare", *tiny())
    assert "train" in shown
    assert "vocabulary of 26 tokens" in shown
    assert str(tmp_path / "cache") in shown
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert out("prepare", *tiny()) == shown
    assert {path: path.stat().st_mtime_ns for path in before} == before


# Reading what was trained.


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_evaluate_measures_a_split(out, trained, split):
    figures = dict(line.split() for line in out("evaluate", "latest", f"split={split}").splitlines())
    assert set(figures) == {f"{split}/{name}" for name in ("loss", "perplexity", "bits_per_byte", "word_perplexity")}
    if split != "train":
        assert float(figures[f"{split}/loss"]) == pytest.approx(trained.summary[f"{split}/loss"], abs=1e-4)


def test_evaluate_takes_the_best_the_last_or_a_file(out, trained):
    last = sorted(trained.checkpoints.glob("step_*.ckpt"))[-1]
    said = [out("evaluate", "first", f"checkpoint={which}") for which in ("last", last)]
    assert said[0] == said[1]
    assert "test/loss" in out("evaluate", "first", "checkpoint=best")


def test_greedy_generation_repeats_itself_and_a_seed_its_draw(out):
    greedy = ["generate", "first", "prompt=the c", "max_tokens=12", "temperature=0"]
    assert out(*greedy) == out(*greedy, "seed=3")
    drawn = ["generate", "first", "prompt=the c", "max_tokens=30", "temperature=1"]
    assert out(*drawn, "seed=3") == out(*drawn, "seed=3") != out(*drawn, "seed=4")
    assert out(*drawn).startswith("the c")


@pytest.mark.parametrize(
    "more", [[], ["top_k=3"], ["top_p=0.9"], ["repetition_penalty=1.3"], ["top_k=1"], ["min_p=0.1"]]
)
def test_streaming_shows_the_same_text(out, more):
    line = ["generate", "first", "prompt=the", "max_tokens=20", *more]
    assert out(*line, "stream=true") == out(*line, "stream=false")


def test_the_likeliest_of_one_is_greedy(out):
    line = ["generate", "first", "prompt=the", "max_tokens=20"]
    assert out(*line, "top_k=1") == out(*line, "temperature=0")


@pytest.mark.parametrize("prompt", ["你好，世", "What's up, 世界!", "", "${seed} = {a, b}", "x" * 500, "two\nlines"])
def test_any_prompt_is_continued_as_it_was_typed(out, prompt):
    assert out("generate", "first", f"prompt={prompt}", "max_tokens=3").startswith(prompt)
    assert out("generate", f"prompt={prompt}", "max_tokens=3").startswith(prompt)


def test_no_n_gram_is_generated_twice(out):
    said = out("generate", "first", "prompt=the c", "max_tokens=60", "temperature=0", "no_repeat_ngram=3").strip()
    assert len({said[place : place + 3] for place in range(len(said) - 2)}) == len(said) - 2


def test_a_beam_search_shows_its_best_texts(out):
    line = ["generate", "first", "prompt=the c", "max_tokens=9", "num_beams=3"]
    assert out(*line, "num=3", "length_penalty=0.6").count("the c") >= 3
    assert out(*line, "num=2").startswith(out(*line))


def test_generation_begins_as_often_as_it_is_asked_to(out):
    assert out("generate", "first", "prompt=dog", "max_tokens=1", "num=3").count("dog") == 3


# Going on, and again.


@pytest.fixture
def copy(trained, runs_folder, tmp_path, monkeypatch):
    """A run that a test may change: the folder with all runs, elsewhere."""
    elsewhere = tmp_path / "runs"
    shutil.copytree(runs_folder, elsewhere, symlinks=True)
    monkeypatch.setenv("LMLAB_RUNS", str(elsewhere))
    path = elsewhere / "lmlab" / trained.id / "config.yaml"
    path.write_text(path.read_text().replace(str(runs_folder), str(elsewhere)))
    return find("latest", elsewhere)


def test_resume_of_a_finished_run_says_so(out, copy, caplog):
    with caplog.at_level("INFO"):
        assert copy.summary["weights_sha256"] in out("resume")
    assert "is finished; to train on, raise its limit" in caplog.text


def test_resume_with_a_higher_limit_goes_on(out, copy):
    assert "6 steps" in out("resume", "first", "trainer.max_steps=6")
    again = find("latest", copy.path.parents[1])
    assert (again.id, again.summary["step"], again.config["trainer"]["max_steps"]) == (copy.id, 6, 6)
    steps = [line["step"] for line in again.metrics()]
    assert steps == sorted(steps)


def test_rerun_ends_with_the_same_bits(out, copy):
    said = out("rerun", "first")
    assert "the weights are the same bits" in said
    assert len(runs(copy.path.parents[1])) == 2


def has_a_commit() -> bool:
    git = shutil.which("git")
    return git is not None and subprocess.run([git, "-C", ROOT, "rev-parse", "-q", "--verify", "HEAD"]).returncode == 0


@pytest.mark.skipif(not has_a_commit(), reason="needs a git checkout with a commit")
@pytest.mark.slow
def test_rerun_at_the_stored_commit_ends_with_the_same_bits(copy, capfd):
    assert Path(copy.environment["code"][0]["folder"]).resolve() == ROOT
    assert cli.run(["rerun", "first", "exact=true"]) == 0
    assert "the weights are the same bits" in capfd.readouterr().out


def test_a_run_whose_commit_is_unknown_cannot_be_rerun_exactly(copy, capfd):
    path = copy.path / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "code": []}))
    assert cli.run(["rerun", "first", "exact=true"]) == 2
    assert "does not know its commit" in capfd.readouterr().err


def test_rm_deletes_a_run_and_says_what_it_freed(out, copy):
    assert f"removed {copy.path}" in out("rm", copy.id)
    assert not copy.path.exists()
    assert runs(copy.path.parents[1]) == []


def test_rm_cache_clears_what_can_be_made_again(out, tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("LMLAB_CACHE", str(tmp_path / "cache"))
    out("prepare", *tiny())
    assert f"removed {tmp_path / 'cache'}" in out("rm", "cache")
    assert not (tmp_path / "cache").exists()
    assert "removed" in out("rm", "cache")


def test_rm_without_a_target_removes_nothing(out, trained):
    assert out("rm").startswith("usage: lmlab rm")
    assert trained.path.exists()


def test_completion_offers_the_runs(trained):
    assert completion.answers(f"lmlab evaluate {trained.id[:10]}") == [trained.id]
    assert "latest" in completion.answers("lmlab rm l")


def test_a_run_starts_from_the_weights_of_another(out, tiny, trained, runs_folder, tmp_path):
    still = ("trainer.max_steps=1", "optimizer.lr=1e-12", f"output_dir={tmp_path}")
    out("train", *tiny(f"init_from={trained.path}", *still))
    assert find("latest", tmp_path).summary["val/loss"] == pytest.approx(trained.summary["val/loss"], abs=1e-3)
    out("train", *tiny(*still))
    assert find("latest", tmp_path).summary["val/loss"] > trained.summary["val/loss"] + 0.005


def test_weights_of_another_shape_are_refused(tiny, trained, tmp_path, capfd):
    assert cli.run(["train", *tiny("init_from=first", "model.dim=32", f"output_dir={tmp_path}")]) == 2
    assert "does not fit this model" in capfd.readouterr().err


def test_reproduce_holds_the_run_against_the_published_figure(tiny, tiny_text, monkeypatch, tmp_path, capfd):
    (tmp_path / "experiments" / "paper").mkdir(parents=True)
    expected = "{metric: test/loss, published: 9.0, tolerance: 0.5, direction: minimize, source: nobody, budget: none}"
    page = tmp_path / "experiments" / "paper" / "mine.yaml"
    page.write_text(f"# @package _global_\n# A figure that everyone reaches\nexpected: {expected}\n")
    monkeypatch.setenv("LMLAB_CONF", str(tmp_path / "experiments"))
    monkeypatch.setattr("lmlab.command.reproduce.results_file", lambda: tmp_path / "RESULTS.md")
    assert cli.run(["reproduce", "mine", *tiny(f"output_dir={tmp_path}")]) == 0
    assert "PASS" in capfd.readouterr().out
    page.write_text(page.read_text().replace("9.0", "0.1"))
    assert cli.run(["reproduce", "mine", *tiny(f"output_dir={tmp_path}")]) == 1
    rows = (tmp_path / "RESULTS.md").read_text().splitlines()[-2:]
    assert ["PASS" in rows[0], "FAIL" in rows[1]] == [True, True]
    assert "`lmlab reproduce mine data=text" in rows[0]
