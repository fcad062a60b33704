"""What word vectors were measured at, as bars with coverage, and as curves of few charts."""

import re

import pytest

from lmlab.report.html import page
from lmlab.report.word_figures import curve, is_detail, word_figures

SUMMARY = {
    "val/loss": 2.0,
    "val/similarity/men": 0.5612,
    "val/similarity/men/coverage": 0.855,
    "val/similarity/rare<b>": -0.125,
    "val/similarity/rare<b>/coverage": 0.21,
    "val/analogy@30k": 0.25,
    "val/analogy@30k/coverage": 0.5,
    "val/analogy@full/gram1-a": 0.3,
    "val/analogy@full/gram1-a/coverage": 0.9,
    "val/analogy@full/currency/coverage": 0.0,
    "val/analogy@full/semantic": 0.1,
    "val/analogy@full": 0.2,
    "val/analogy@full/coverage": 0.625,
    "val/ca8@full": 0.4,
}


def rows(text):
    """Cells of each row, without the bar's."""
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", text)
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in found if "<td" in row]


def test_every_figure_stands_beside_its_coverage(tags):
    text = word_figures(SUMMARY)
    assert tags(text).open == []
    assert rows(text) == [
        ["men", "0.5612", "85.5%"],
        ["rare&lt;b&gt;", "-0.1250", "21.0%"],
        ["all", "25.0%", "50.0%", "20.0%", "62.5%"],
        ["semantic", "", "", "10.0%", ""],
        ["gram1-a", "", "", "30.0%", "90.0%"],
        ["currency", "", "", "", "0.0%"],
        ["all", "40.0%", ""],
    ]
    assert re.findall(r"width:([\d.]+%)", text)[:2] == ["56.1%", "0.0%"]
    assert "Chinese analogies" in text


def test_the_test_split_comes_before_the_validation_split():
    assert rows(word_figures(SUMMARY | {"test/similarity/men": 0.75})) == [["men", "0.7500", ""]]


@pytest.mark.parametrize("summary", [{}, {"val/loss": 1.0, "test/perplexity": 3.0}, {"val/similarity": 1.0}])
def test_a_run_without_these_shows_nothing_of_them(summary, make_run):
    assert word_figures(summary) == ""
    assert "analog" not in page(make_run(summary=summary)).lower().split("<body>")[1].split("<script>")[0]


def test_sections_and_coverage_have_no_curves(make_run, tags):
    lines = [{"step": step, "time": 1.0, **SUMMARY} for step in (1, 2)]
    text = page(make_run(lines=lines))
    assert re.findall(r"<figcaption><b>(.*?)</b>", text) == [
        "Loss (nats per token)",
        "Word similarity (Spearman)",
        "Analogies (share of right answers)",
    ]
    assert tags(text).open == []
    assert re.findall(r'<span class="key (c\d)">([^<]*)', text) == [
        ("c1", "men"),
        ("c2", "rare&lt;b&gt;"),
        ("c1", "analogy@30k"),
        ("c2", "analogy@full"),
        ("c3", "ca8@full"),
    ]


def test_names_say_what_is_a_detail():
    assert is_detail("analogy@full/family")
    assert is_detail("analogy_mul@30k/coverage")
    assert is_detail("similarity/men/coverage")
    assert not is_detail("analogy@full")
    assert not is_detail("similarity/men")
    assert not is_detail("loss")
    assert curve("similarity/men") == ("similarity", "men")
    assert curve("perplexity") is None
