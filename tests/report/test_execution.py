"""A sweep over strategy and devices shows, beside its metric, speed, memory and how far the losses are apart."""

import csv
import io
import re

import pytest

from lmlab.report.execution import DIFFERENCE, FIGURES, compared, figures_for
from lmlab.report.sweep_format import latex, markdown, text, to_csv
from lmlab.report.sweep_html import sweep_page
from lmlab.report.sweep_table import sweep_table


@pytest.fixture
def jobs(make_job):
    """Two strategies on one and two devices, two seeds; the losses of fsdp are off by 0.5 and 0.25 at step 2."""
    found = []
    for strategy, off in (("ddp", 0.0), ("fsdp", 0.5)):
        for devices in (1, 2):
            for seed in (1, 2):
                lines = [
                    {"step": 1, "train/loss": 2.0 + seed, "tokens_per_second": 5.0},
                    {"step": 2, "train/loss": 1.5 + seed + off / seed},
                    {"step": 2, "val/loss": 9.0},
                ]
                costs = {"tokens_per_second": 100.0 * devices, "memory_gb": 4.0 / devices}
                varied = {"strategy": strategy, "trainer.devices": devices}
                found.append(make_job(len(found), varied, seed, summary=costs, lines=lines))
    return found


def test_a_job_is_compared_with_the_first_that_has_its_seed(jobs):
    assert figures_for(jobs) == FIGURES
    assert [job.figures[DIFFERENCE] for job in compared(jobs[::-1])] == [0, 0, 0, 0, 0.5, 0.25, 0.5, 0.25]


def test_another_model_is_compared_with_its_own_first(make_job):
    jobs = [
        make_job(number, {"model": model, "strategy": strategy}, None, lines=[{"step": 1, "train/loss": loss}])
        for number, (model, strategy, loss) in enumerate(
            [("lstm", "ddp", 1.0), ("rnn", "ddp", 3.0), ("lstm", "fsdp", 1.5), ("rnn", "fsdp", 3.0)]
        )
    ]
    assert [job.figures[DIFFERENCE] for job in compared(jobs)] == [0, 0, 0.5, 0]


def test_a_job_that_is_not_done_or_has_no_step_in_common_has_no_difference(make_job):
    line = {"step": 1, "train/loss": 1.0}
    jobs = [
        make_job(0, {"strategy": "ddp"}, 1, lines=[line]),
        make_job(1, {"strategy": "fsdp"}, 1, state="running", lines=[line]),
        make_job(2, {"strategy": "single"}, 1, lines=[{**line, "step": 2}]),
        make_job(3, {"strategy": "deepspeed"}, 1, state="queued"),
    ]
    assert [DIFFERENCE in job.figures for job in compared(jobs)] == [True, False, False, False]


def test_a_sweep_over_what_is_trained_reads_no_metrics(make_job):
    jobs = [make_job(0, {"model": "lstm", "batch.size": 8}, 1, lines=None)]
    assert figures_for(jobs) == ()
    assert compared(jobs) == jobs


@pytest.fixture
def table(jobs):
    return sweep_table(compared(jobs), metric="val/loss", rows=["strategy", "trainer.devices"], more=FIGURES)


def test_every_format_shows_them_with_what_they_mean(table):
    shown = text(table)
    assert re.search(
        r"strategy +trainer.devices +val/loss +tokens_per_second +memory_gb +train_loss_difference\n", shown
    )
    assert re.search(r"fsdp +2 +1.000 ± 0 \(2\) \[4\] +200.0 ± 0 +2.000 ± 0 +0.4 ± 1.6\n", shown)
    assert "memory: memory_gb is per rank, the most that the first held" in shown
    lines = [line for line in markdown(table).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {7}
    body = [line for line in latex(table).splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in body} == {5}
    assert r"$0.4 \pm 1.6$ \\" in latex(table)
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(rows) == 16
    assert {row["metric"]: row["mean"] for row in rows[-4:]} == {
        "val/loss": "1.0", "tokens_per_second": "200.0", "memory_gb": "2.0", DIFFERENCE: "0.375",
    }  # fmt: skip
    assert {row["is_best"] for row in rows if row["metric"] != "val/loss"} == {""}


def test_with_columns_each_figure_has_a_column_for_each(jobs):
    table = sweep_table(
        jobs, metric="val/loss", rows=["strategy"], columns=["trainer.devices"], more=["tokens_per_second"]
    )
    assert re.search(r"strategy +1 +2 +tokens_per_second 1 +tokens_per_second 2\n", text(table))
    body = [line for line in latex(table).splitlines() if line.endswith(r"\\")]
    assert {line.count("&") + ("multicolumn{2}" in line) for line in body} == {4}


def test_the_page_shows_them(jobs, tmp_path, tags):
    page = tags(sweep_page(tmp_path, jobs, name="how", metric="val/loss", direction="minimize"))
    assert page.open == []
    assert all(figure in page.text for figure in FIGURES)
    assert "Memory: memory_gb is per rank" in page.text
    assert "0.3750" in page.text
