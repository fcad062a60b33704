"""A sweep's page needs nothing but itself, shows any sweep at any time, fits a phone, and is fast."""

import html
import json
import math
import re
import time

import numpy as np
import pytest
from PIL import Image

from lmlab.report.sweep_html import sweep_page, write_sweep_report
from lmlab.run.folder import RunFolder

LONG = "x" * 300


def _lines(loss, steps=40):
    curve = [{"step": step, "train/loss": loss + 3 / step, "lr": 0.1} for step in range(1, steps + 1)]
    return [line | ({"val/loss": loss + 2 / line["step"]} if line["step"] % 10 == 0 else {}) for line in curve]


@pytest.fixture
def jobs(make_job):
    """Three models x two rates x three seeds; one failed, two run."""
    found = []
    for model, base in (("rnn", 2.3), (LONG, 2.0), ("transformer", 1.8)):
        for lr, more in ((1e-3, 0.0), (3e-4, 0.06)):
            for seed in (1, 2, 3):
                number, loss = len(found), base + more + 0.01 * seed
                state = {4: "failed", 16: "running", 17: "running"}.get(number, "done")
                summary = {"parameters": int(base * 1e6), "seconds": 3.0 + seed, "reason": "out of memory" * 30}
                found.append(
                    make_job(
                        number, {"model": model, "optimizer.lr": lr}, seed, loss, state,
                        summary=summary, lines=_lines(loss),
                    )
                )  # fmt: skip
    return found


def _page(jobs, folder, metric="val/loss", direction="minimize"):
    return sweep_page(folder, jobs, name="heads", metric=metric, direction=direction)


def test_the_page_asks_nothing_of_the_network_and_links_to_its_runs_alone(jobs, tmp_path):
    text = _page(jobs, tmp_path)
    assert not re.search(r"""(src|action)\s*=|url\(|@import|https?://|fetch\(|XMLHttpRequest|import\(""", text)
    assert set(re.findall(r'href="([^"]*)"', text)) == {f"jobs/r{number}" for number in range(len(jobs))}


def test_the_page_shows_every_section(jobs, tmp_path, tags):
    shown = tags(_page(jobs, tmp_path)).text
    for heading in (
        "Configurations", "Is the best better?", "Training", "What mattered", "All configurations", "What it cost",
        "Jobs that are not done", "Tables for a paper",
    ):  # fmt: skip
        assert heading in shown
    assert "1.820 ± 0.025" in shown
    assert "1 failed" in shown
    assert "2 running" in shown
    assert "out of memory" in shown
    assert "FLOPs" not in shown


def test_flops_are_drawn_where_the_runs_say_them(make_sweep, tmp_path):
    jobs = make_sweep(["model"], {("a",): [1.0, 1.1], ("b",): [2.0, 2.1]})
    for job in jobs:
        job.run.summary["flops"] = 1e12 if job.varied["model"] == "a" else 3e15
    assert "against FLOPs" in _page(jobs, tmp_path)


def test_the_best_stands_first_and_a_configuration_without_a_figure_last(jobs, make_job, tmp_path):
    shown = _page([make_job(99, {"model": "new"}, 1, None, "queued"), *jobs], tmp_path)
    table = shown[shown.index('class="sweep"') : shown.index("</table>")]
    assert table.index("transformer") < table.index(LONG) < table.index("rnn") < table.index("new")


def test_an_unfinished_sweep_loads_itself_again_and_a_done_one_does_not(jobs, tmp_path):
    assert 'http-equiv="refresh"' in _page(jobs, tmp_path)
    assert 'http-equiv="refresh"' not in _page([job for job in jobs if job.state != "running"], tmp_path)


@pytest.mark.parametrize(
    "losses",
    [
        {("a",): [1.0]},
        {("a",): [math.nan]},
        {("a",): [math.nan, 1.0], ("b",): [math.inf, -math.inf]},
        {("a",): [None], ("b",): [None]},
        {("a",): [1.0, 1.0], ("b",): [1.0, 1.0]},
        {("a",): [1e100, 1e-100], ("b",): [-1e100, 0.0]},
        {(None,): [1.0], ("",): [2.0], ((1, 2),): [3.0], (True,): [4.0]},
        {(10.0**-power,): [power] for power in range(9)},
        {},
    ],
)
@pytest.mark.parametrize("state", ["done", "running", "failed", "queued"])
def test_any_sweep_has_a_page(make_sweep, tmp_path, losses, state, tags):
    jobs = make_sweep(["model"], losses, state=state)
    assert tags(_page(jobs, tmp_path)).open == []
    two = make_sweep(["model", "data"], {(*key, "x"): row for key, row in losses.items()}, state=state)
    assert tags(_page(two, tmp_path)).open == []


def test_a_sweep_of_seeds_alone_has_a_page(make_job, tmp_path):
    jobs = [make_job(seed, {}, seed, 1.0 + seed, lines=_lines(1.0)) for seed in range(3)]
    assert "2.00 ± 2.48 (3)" not in _page(jobs, tmp_path)
    assert "2.0 ± 2.5" in _page(jobs, tmp_path)


def test_what_the_user_wrote_is_never_markup(make_job, tmp_path, tags):
    evil = "<script>alert('x')</script>\"'&"
    jobs = [
        make_job(n, {evil: f"{evil}{n}", "b": n}, 1, 1.0 + n, state, summary={"reason": evil}, lines=_lines(n))
        for n, state in enumerate(("done", "done", "failed", "running"))
    ]
    parsed = tags(sweep_page(tmp_path, jobs, name=evil, metric="val/loss", direction="minimize"))
    assert parsed.tags.count("script") == 1
    assert parsed.text.count(evil) > 5
    assert parsed.open == []


def test_the_report_is_written_into_the_sweeps_folder_alone(jobs, tmp_path):
    path = write_sweep_report(tmp_path, jobs, name="heads", metric="val/loss", direction="minimize")
    assert [path] == list(tmp_path.iterdir()) == [tmp_path / "report.html"]


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_is_as_wide_as_the_window(jobs, tmp_path, width, title_of):
    measure = (
        "const root = frame.contentDocument.documentElement;"
        "for (const one of root.querySelectorAll('details')) one.open = true;"
        "document.title = `${frame.contentWindow.innerWidth} ${root.scrollWidth}`"
    )
    content = html.escape(_page(jobs, tmp_path))
    frame = f'<iframe id="frame" style="width:{width}px;border:0" srcdoc="{content}"></iframe>'
    title = title_of(f"<title></title>{frame}<script>onload = () => {{{measure}}}</script>")
    inner, scroll = map(int, title.split())
    assert inner == width
    assert scroll <= inner


def test_the_pointer_shows_the_configuration_of_the_nearest_dot(jobs, tmp_path, title_of):
    point = (
        "const plot = document.querySelector('.plot[data-dots]'), box = plot.getBoundingClientRect();"
        "const [x, y] = JSON.parse(plot.dataset.dots)[0];"
        "const clientX = box.left + x * box.width, clientY = box.bottom - y * box.height;"
        "plot.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY }));"
        "document.title = plot.querySelector('.tip').innerText.split('\\n').join('|')"
    )
    text = _page(jobs, tmp_path).replace("</body>", f"<script>{point}</script></body>")
    assert title_of(text) == "model=transformer lr=0.001|1.820|parameters 1.8e+06"


def test_the_picture_of_the_page_shows_lines_of_several_colours(jobs, tmp_path, browse):
    path = write_sweep_report(tmp_path, jobs, name="heads", metric="val/loss", direction="minimize")
    browse(path, 1200, f"--screenshot={tmp_path / 'page.png'}")
    pixels = np.asarray(Image.open(tmp_path / "page.png").convert("RGB")).astype(int)
    for colour in ((0x2F, 0x5F, 0xB3), (0xC2, 0x41, 0x0C), (0x2C, 0x7A, 0x4B), (0x7C, 0x3A, 0xED)):
        assert (np.abs(pixels - np.array(colour)).sum(axis=2) < 30).sum() > 20


def test_a_thousand_jobs_are_reported_in_seconds(make_job, tmp_path):
    rng, jobs = np.random.default_rng(0), []
    metrics = "".join(json.dumps(line) + "\n" for line in _lines(2.0, steps=200))
    for number in range(1000):
        folder = tmp_path / "jobs" / str(number)
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        (folder / "metrics.jsonl").write_text(metrics)
        (folder / "summary.json").write_text(json.dumps({"val/loss": float(rng.normal()), "parameters": number}))
        varied = {"optimizer.lr": 10.0 ** -(1 + number // 4 % 50 / 10), "model.dim": number // 200}
        job = make_job(number, varied, number % 4)
        jobs.append(type(job)(number, varied, number % 4, "done", RunFolder(folder)))
    start = time.perf_counter()
    write_sweep_report(tmp_path, jobs, name="many", metric="val/loss", direction="minimize")
    assert time.perf_counter() - start < 10
