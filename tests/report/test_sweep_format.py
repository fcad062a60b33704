"""Each format shows the same figures, marks the same cells, and leads to the runs."""

import csv
import io
import math
import re
import shutil
import subprocess

import pytest

from lmlab.report.statistics import Estimate, bootstrap, estimate
from lmlab.report.sweep_format import latex, markdown, p_value, plus_minus, text, to_csv
from lmlab.report.sweep_table import sweep_table

LOSSES = {
    ("lstm", "ptb"): [1.00, 1.10, 1.20],
    ("lstm", "text"): [1.5, 1.4, 1.6],
    ("rnn_50%", "ptb"): [2.01, 2.10, 2.19],
    ("rnn_50%", "text"): [1.4, 1.6, 1.5],
}


@pytest.fixture
def table(make_sweep, make_job):
    jobs = [*make_sweep(["model", "data"], LOSSES), make_job(50, {"model": "lstm", "data": "text"}, 9, None, "failed")]
    return sweep_table(jobs, metric="val/loss", rows=["model"], columns=["data"])


def test_the_half_width_has_two_digits_and_the_mean_as_many_decimals():
    def shown(mean, half):
        return plus_minus(Estimate(mean, 1.0, 3, mean - half, mean + half))

    assert shown(1.23456, 0.0567) == "1.235 ± 0.057"
    assert shown(1.23456, 0.567) == "1.23 ± 0.57"
    assert shown(12345.6, 567.8) == "12,346 ± 568"
    assert shown(0.00012346, 0.0000021) == "0.0001235 ± 0.0000021"
    assert shown(2.0, 0.0) == "2.000 ± 0"
    assert plus_minus(estimate([1.5])) == "1.500"


def test_as_text_a_star_marks_the_best_and_each_number_leads_to_its_runs(table):
    shown = text(table)
    assert re.search(r"model +ptb +text\n", shown)
    assert re.search(r"lstm +1\.10 ± 0\.25 \(3\)\* \[1\] +1\.50 ± 0\.25 \(3\) 1 failed \[2\]\n", shown)
    assert "[1] r0 (seed 1), r1 (seed 2), r2 (seed 3)\n" in shown
    assert "r50 (seed 9, failed)" in shown
    assert "*: better than every other of its column" in shown
    assert "12 done, 1 failed" in shown
    assert shown.count("*") == 2


def test_as_text_the_best_is_compared_with_the_others_and_the_seeds_to_come_are_named(table):
    lines = text(table)
    assert re.search(r"ptb: lstm − rnn_50%: -1.000 ± 0.025 \(3 seeds\), p = <0.001, by sign flips alone 0.250\n", lines)
    close = re.search(r"text: lstm − rnn_50%: .*", lines)[0]
    assert "more seeds would show" in close or "no number of seeds" in close


def test_columns_of_text_are_aligned_for_chinese_too(make_sweep):
    table = sweep_table(make_sweep(["data"], {("红楼梦",): [1.0], ("a",): [2.0]}), metric="val/loss", rows=["data"])
    (first,) = re.findall(r"红楼梦( +)1", text(table))
    (second,) = re.findall(r"\na( +)2", text(table))
    assert len(second) - len(first) == 5


def test_as_markdown_every_line_has_the_same_cells_and_bold_is_the_best(table):
    shown = markdown(table)
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {4}
    assert shown.count("**") == 2
    assert "| lstm | **1.10 ± 0.25 (3)**[^1]" in shown
    assert "[^1]: r0 (seed 1)" in shown


def test_markdown_escapes_what_would_end_a_cell(make_sweep):
    table = sweep_table(make_sweep(["a"], {("x|y",): [1.0]}), metric="val/loss", rows=["a"])
    assert "| x\\|y |" in markdown(table)


def test_as_latex_the_table_is_escaped_and_the_best_bold(table):
    shown = latex(table)
    assert r"rnn\_50\% & $2.10 \pm 0.22$ (3)" in shown
    assert r"lstm & {\boldmath$1.10 \pm 0.25$} (3) & $1.50 \pm 0.25$ (3, 1 failed) \\" in shown
    rows = [line for line in shown.splitlines() if not line.startswith("%")]
    assert [line.count(" & ") for line in rows if line.endswith(r"\\") and "multicolumn" not in line] == [2, 2, 2]
    assert "% ptb: r0 (seed 1)" in shown
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert shown.count(part) == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles(table, tmp_path):
    body = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + latex(table) + r"\end{document}"
    (tmp_path / "a.tex").write_text(body, encoding="utf-8")
    subprocess.run(["pdflatex", "-interaction=batchmode", "-halt-on-error", "a.tex"], cwd=tmp_path, check=True)
    assert (tmp_path / "a.pdf").stat().st_size > 0


def test_as_csv_figures_are_in_full_with_both_intervals_and_the_runs(table):
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [(row["model"], row["data"], row["is_best"]) for row in rows][:2] == [
        ("lstm", "ptb", "true"),
        ("lstm", "text", "false"),
    ]
    values = LOSSES["lstm", "ptb"]
    one = estimate(values)
    assert [float(rows[0][key]) for key in ("mean", "sd", "low", "high")] == [one.mean, one.sd, one.low, one.high]
    assert (float(rows[0]["bootstrap_low"]), float(rows[0]["bootstrap_high"])) == bootstrap(values)
    assert rows[0]["runs"] == "r0 r1 r2"
    assert (rows[1]["n"], rows[1]["done"], rows[1]["failed"], rows[1]["seeds"]) == ("3", "3", "1", "1 2 3")


def test_a_cell_without_a_figure_says_why(make_job):
    jobs = [make_job(0, {"model": "a"}, 1, math.nan), make_job(1, {"model": "b"}, 1, 2.0)]
    table = sweep_table(jobs, metric="val/loss", rows=["model"])
    assert "– 1 not finite" in text(table)
    assert "-- 1 not finite" in latex(table)
    assert next(csv.DictReader(io.StringIO(to_csv(table))))["mean"] == ""


def test_small_p_is_a_bound():
    assert (p_value(0.0), p_value(0.0123)) == ("<0.001", "0.012")
