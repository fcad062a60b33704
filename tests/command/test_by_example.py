"""What real runs keep of each example: its sums are the summary's figures, and reports and diffs test by it."""

import re

import numpy as np
import pytest

from lmlab import cli
from lmlab.command import result
from lmlab.report.corpus_comparison import SCORES
from lmlab.report.job import Job
from lmlab.run.store import find


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Forty files, so that a split has documents, and one long one."""
    folder, rng = tmp_path_factory.mktemp("examples"), np.random.default_rng(5)
    (folder / "files").mkdir()
    words = ["cat", "dog", "世界", "sat", "on", "the", "mat\n"]
    for number in range(60):
        text = " ".join(rng.choice(words, size=rng.integers(5, 30)))
        (folder / "files" / f"{number}.txt").write_text(text, encoding="utf-8")
    (folder / "long.txt").write_text(" ".join(rng.choice(words, size=2_000)), encoding="utf-8")
    return folder


@pytest.fixture
def train(place, tiny, monkeypatch):
    monkeypatch.setattr("lmlab.batch.division.FEWEST_DOCUMENTS", 5)
    monkeypatch.setenv("LMLAB_RUNS", str(place / "runs"))

    def run(*overrides, data="files"):
        given = [word for word in tiny() if not word.startswith(("data.path", "trainer.max_steps"))]
        words = [
            *given,
            f"data.path={place / data}",
            "data.split.val=0.2",
            "data.split.test=0.3",
            "trainer.max_steps=9",
        ]
        assert cli.run(["train", *words, *overrides]) == 0
        return find("latest", place / "runs")

    return run


def check(run, split):
    """Every figure of the summary follows from the examples."""
    kept = run.examples(split)
    for name, (function, taken) in kept.scores.items():
        totals = kept.sums[:, [kept.statistics.index(one) for one in taken]].sum(axis=0, keepdims=True)
        assert SCORES[function](totals)[0] == pytest.approx(run.summary[f"{split}/{name}"], rel=1e-9, abs=0), name
    assert {f"{split}/{name}" for name in kept.scores} == {key for key in run.summary if key.startswith(f"{split}/")}
    return kept


def test_windows_and_streams_keep_the_same_documents_whose_sums_are_the_figures(train):
    windows = train("model=lstm", "batch.eval_size=2")
    streams = train("model=lstm", "batch=streams", "batch.eval_size=3", "batch.seq_len=5")
    for split in ("val", "test"):
        first, second = check(windows, split), check(streams, split)
        assert first.kind == second.kind == "documents"
        assert first.source == second.source == windows.fingerprint
        assert (first.sums[:, 1:] == second.sums[:, 1:]).all()
        assert 0.5 < np.corrcoef(first.sums[:, 0], second.sums[:, 0])[0, 1] < 1
    assert len(set(windows.examples("test").sums[:, 1])) > 3


def test_a_long_text_falls_into_blocks_of_its_tokens(train):
    run = train("model=lstm", data="long.txt")
    kept = check(run, "test")
    assert kept.kind == "blocks of 32 tokens"
    assert set(kept.sums[:-1, 1]) == {32}
    assert kept.source != run.fingerprint


def test_evaluations_while_training_and_of_a_part_of_the_split_keep_nothing(train, monkeypatch):
    seen, conclude = [], result.conclude

    def concluded(experiment, run, trainer, task, *more):
        seen.extend(metric.by_example for metric in task.metrics.values())
        return conclude(experiment, run, trainer, task, *more)

    monkeypatch.setattr("lmlab.command.fit.conclude", concluded)
    run = train("model=gru", "trainer.val_check_interval=3", "trainer.limit_val_batches=1")
    assert seen == [None, None]
    assert run.examples("val") is None
    check(run, "test")


def test_a_sweep_of_single_seeds_is_tested_over_examples_and_a_mistake_is_one_sentence(
    train, place, monkeypatch, capfd
):
    models = ("lstm", "transformer")
    runs = [train(f"model={model}", "optimizer.lr=0.01", "trainer.max_steps=30", data="long.txt") for model in models]
    jobs = [Job(number, {"model": model}, 1, "done", run) for number, (model, run) in enumerate(zip(models, runs))]
    folder = place / "sweeps" / "s"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("sweep.sqlite", "command.yaml"):
        (folder / name).touch()
    monkeypatch.setattr("lmlab.launcher.table.jobs_of", lambda _: jobs)

    def say(*words, code=0):
        capfd.readouterr()
        assert cli.run(["report", str(folder), *words]) == code
        shown = capfd.readouterr()
        return shown.err if code else shown.out

    assert "test=bootstrap compares over examples" in say("metric=test/loss")
    for test in ("bootstrap", "randomisation"):
        shown = say("metric=test/loss", f"test={test}")
        assert re.search(r"(lstm − transformer|transformer − lstm): -.*\D\d+ blocks of 32 tokens\), p = ", shown)
        assert "over examples" in (folder / "report.html").read_text()
    assert "test=jackknife is wrong: expected seed, bootstrap, randomisation" in say("test=jackknife", code=2)
    assert "metric=seconds does not follow from statistics by example" in say(
        "metric=seconds", "test=bootstrap", code=2
    )
    capfd.readouterr()
    assert cli.run(["diff", runs[0].id, runs[1].id]) == 0
    assert re.search(
        r"\ntest/loss by paired bootstrap: -?\d.*\D\d+ blocks of 32 tokens\), p = .*\n$", capfd.readouterr().out
    )
    word = train("model=lstm", "tokenizer=word", data="long.txt")
    jobs.append(Job(2, {"model": "words"}, 1, "done", word))
    assert "for blocks of tokens the same tokenizer" in say("test=bootstrap", code=2)
    (runs[0].path / "examples" / "test.npz").unlink()
    assert f"run {runs[0].id} keeps no statistics of test" in say("metric=test/loss", "test=bootstrap", code=2)
