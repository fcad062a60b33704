"""Configurations over examples: the statistics of the seeds averaged, the tests of corpus_comparison, Holm's correction."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from lmlab.report.corpus_comparison import SCORES, bleu, mean, paired_bootstrap
from lmlab.report.over_examples import SAMPLES, TESTS, between, over_examples, pooled
from lmlab.report.sweep_format import latex, markdown, text, to_csv
from lmlab.report.sweep_html import sweep_page
from lmlab.report.sweep_table import sweep_table
from lmlab.types import Examples, Mistake

NUM = 60
LENGTHS = np.random.default_rng(0).integers(5, 30, NUM).astype(float)


def examples(shift, seed=0, *, lengths=LENGTHS, **changes):
    """Losses around 2 nats a token, the same hard examples for all."""
    hardness = np.random.default_rng(9).normal(2.0, 0.3, len(lengths))
    noise = np.random.default_rng(seed).normal(shift, 0.05, len(lengths))
    given = {
        "sums": np.column_stack([(hardness + noise) * lengths, lengths, 3 * lengths]),
        "statistics": ("nll", "targets", "bytes"),
        "scores": {"loss": ("mean", ("nll", "targets")), "bits_per_byte": ("bits", ("nll", "bytes"))},
        "kind": "documents",
        "source": "s",
    }
    return Examples(**{**given, **changes})


def loss_of(found):
    return float(found.sums[:, 0].sum() / found.sums[:, 1].sum())


@pytest.fixture
def make_kept(make_job):
    """A done job whose run keeps examples of val; its figure is theirs."""

    def job(number, model, seed, found):
        made = make_job(number, {"model": model}, seed, loss_of(found))
        made.run.by_example["val"] = found
        return made

    return job


@pytest.fixture
def jobs(make_kept):
    """Three models with one seed each: b is a little, c far behind."""
    shifts = {"a": 0.0, "b": 0.03, "c": 0.5}
    return [make_kept(n, model, 1, examples(shift, n)) for n, (model, shift) in enumerate(shifts.items())]


def table(jobs, test="bootstrap", **more):
    return sweep_table(jobs, metric="val/loss", rows=["model"], test=test, **more)


@pytest.mark.parametrize("test", ["bootstrap", "randomisation"])
def test_one_seed_is_enough_and_the_best_is_marked(jobs, test):
    found = table(jobs, test)
    assert [row for (row, _), cell in found.cells.items() if cell.is_best] == [("a",)]
    (contrasts,) = found.contrasts.values()
    assert [one.other for one in contrasts] == [("b",), ("c",)]
    assert not any(cell.is_best for cell in table(jobs, "seed").cells.values())


def test_p_is_that_of_the_pair_times_holms_factor(make_kept):
    first, second, third = examples(0.0, 1), examples(0.01, 2), examples(0.011, 3)
    found = table([make_kept(n, str(n), 1, one) for n, one in enumerate((first, second, third))])
    (contrasts,) = found.contrasts.values()
    alone = [
        paired_bootstrap(first.sums[:, :2], one.sums[:, :2], score=mean, samples=SAMPLES).p for one in (second, third)
    ]
    assert [one.paired.p for one in contrasts] == alone
    assert min(one.p for one in contrasts) == pytest.approx(min(1.0, 2 * min(alone)))
    assert contrasts[0].paired.difference == pytest.approx(loss_of(first) - loss_of(second))


def test_equal_configurations_are_never_significant(make_kept):
    found = table([make_kept(n, str(n), 1, examples(0.0, 1)) for n in range(2)])
    assert not any(cell.is_best for cell in found.cells.values())
    assert "nothing is significantly better" in text(found)


def test_seeds_are_averaged_by_example_so_that_the_difference_is_that_of_the_means(make_kept):
    runs = [make_kept(n, "ab"[n // 3], n % 3, examples(0.02 * (n // 3), n)) for n in range(6)]
    found = table(runs[:5])  # a with three seeds, b with two
    ((contrast,),) = found.contrasts.values()
    means = {row: cell.estimate.mean for (row, _), cell in found.cells.items()}
    assert contrast.paired.difference == pytest.approx(means["a",] - means["b",], rel=1e-12)
    a, b = (np.mean([job.run.by_example["val"].sums for job in part], axis=0) for part in (runs[:3], runs[3:5]))
    expected = paired_bootstrap(a[:, :2], b[:, :2], score=mean, samples=SAMPLES)
    assert contrast.paired.comparison == expected


def test_runs_that_are_not_in_the_figure_are_not_in_the_test(make_kept, make_job, jobs):
    failed = make_job(50, {"model": "a"}, 2, None, "failed")
    broken = make_kept(51, "a", 3, examples(9.0, 5))
    broken.run.summary["val/loss"] = float("nan")
    (with_more,) = table([*jobs, failed, broken]).contrasts.values()
    (alone,) = table(jobs).contrasts.values()
    assert [one.paired for one in with_more] == [one.paired for one in alone]
    assert not any(cell.is_best for cell in table([*jobs, failed, broken]).cells.values())  # a diverged once


def test_a_corpus_score_is_of_the_averaged_statistics(make_run):
    rng = np.random.default_rng(3)
    statistics = [f"s{number}" for number in range(10)]
    runs = []
    for number in range(3):
        totals = rng.integers(5, 9, (NUM, 4)) - np.arange(4)
        right = (totals * rng.uniform(0.3, 0.9 - number / 9, (NUM, 1))).round()
        sums = np.column_stack([totals[:, 0], totals[:, 0], right, totals]).astype(float)
        found = Examples(sums, tuple(statistics), {"bleu": ("bleu", tuple(statistics))}, "sentences", "s")
        runs.append(make_run(id=str(number), by_example={"test": found}))
    found = over_examples(
        pooled(runs[:2], metric="test/bleu"), pooled(runs[2:], metric="test/bleu"), test=TESTS["bootstrap"]
    )
    both = np.mean([run.by_example["test"].sums for run in runs[:2]], axis=0)
    assert found.comparison.a == pytest.approx(bleu(both.sum(0, keepdims=True))[0])
    assert found.examples == "60 sentences"
    assert set(SCORES) == {"mean", "perplexity", "bits", "accuracy", "f1", "bleu", "chrf"}


def test_every_format_says_which_test_and_shows_what_it_found(jobs, tmp_path):
    found = table(jobs)
    for shown in (text(found), markdown(found), latex(found)):
        assert "better than every other of its column (paired bootstrap over examples, Holm-corrected" in shown
        assert "what other text would show, not other seeds" in shown
    for shown in (text(found), markdown(found)):
        assert "(95 % -0.0" in shown
        assert ", 60 documents), p = <0.001" in shown
        assert "seeds would show" not in shown
    assert r"\boldmath" in latex(found)
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [(row["test"], row["is_best"], row["p_holm"] != "") for row in rows] == [
        ("bootstrap", "true", False), ("bootstrap", "false", True), ("bootstrap", "false", True),
    ]  # fmt: skip
    page = sweep_page(tmp_path, jobs, name="s", metric="val/loss", direction="minimize", test="randomisation")
    assert "best − other, by approximate randomisation over examples, with Holm's correction" in page
    assert "test=randomisation" in page
    assert "60 documents" in page


def test_the_note_of_a_table_of_single_seeds_names_the_test_over_examples(jobs):
    assert "two seeds that both configurations have; test=bootstrap compares over examples" in text(table(jobs, "seed"))
    assert "it takes two configurations that are done" in text(
        table([*jobs[:1], *([type(jobs[1])(1, {"model": "b"}, 1, "failed", None)])])
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, "run r1 keeps no statistics of val by example"),
        (examples(0.1, source="t"), "r0 (60 documents) and r1 (60 documents) were not evaluated on the same examples"),
        (examples(0.1, lengths=LENGTHS[:50]), "r0 (60 documents) and r1 (50 documents) were not"),
        (examples(0.1, kind="blocks of 32 tokens"), "(60 blocks of 32 tokens) were not evaluated on the same"),
        (examples(0.1, scores={}), "metric=val/loss does not follow from statistics by example; run r1 has those of nothing"),
    ],
)  # fmt: skip
def test_runs_that_cannot_be_compared_are_a_mistake(jobs, found, expected):
    jobs[1].run.by_example = {} if found is None else {"val": found}
    with pytest.raises(Mistake) as caught:
        table(jobs)
    assert expected in str(caught.value)
    assert "test=seed" in str(caught.value)


def test_across_tokenizers_documents_pair_by_byte_and_not_by_token(jobs):
    one = jobs[1].run.by_example["val"]
    jobs[1].run.by_example["val"] = replace(one, sums=one.sums * [1.0, 0.5, 1.0])  # half as many tokens
    with pytest.raises(Mistake, match="val/loss is a ratio to targets, of which runs r0 and r1 have different numbers"):
        table(jobs)
    first, second = (pooled([job.run], metric="val/bits_per_byte") for job in jobs[:2])
    assert over_examples(first, second, test=TESTS["bootstrap"]).difference < 0


def test_columns_may_differ_in_their_examples(jobs, make_job):
    for job in jobs[1:]:
        job.varied["data"] = "x"
    jobs[0].varied["data"] = "y"
    jobs[0].run.by_example["val"] = examples(0.0, source="another")
    found = table(jobs, columns=["data"])
    assert [len(found.contrasts[column]) for column in found.columns] == [0, 1]


def test_a_handful_of_examples_is_too_few(make_kept):
    few = [make_kept(n, str(n), 1, examples(n, lengths=LENGTHS[:19])) for n in range(2)]
    with pytest.raises(Mistake, match="needs 20 of them, and there are 19 documents"):
        table(few)


def test_two_runs_are_compared_in_a_line_where_they_have_the_same_examples(make_run):
    first, second, other = (
        make_run(id=str(n), by_example={"test": one})
        for n, one in enumerate((examples(0.0, 1), examples(0.1, 2), examples(0.1, 2, source="t")))
    )
    assert between(first, second).startswith("test/loss by paired bootstrap: 0.1059 (95 % 0.0")
    assert between(first, second).endswith(", 60 documents), p = <0.001")
    assert between(second, first).startswith("test/loss by paired bootstrap: -0.1059 (95 % -0.1")
    assert between(first, other) is None
    assert between(first, make_run(id="old")) is None
