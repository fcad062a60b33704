"""The page needs nothing but itself, shows any run, and fits a phone."""

import html
import math
import re

import numpy as np
import pytest
from PIL import Image

from lmlab.report.html import page, write_report
from lmlab.types import SAMPLE_BREAK

LONG = "x" * 500


@pytest.fixture
def full(make_run):
    lines = [
        {"step": step, "time": step / 7, "train/loss": 1 + 7 / step, "lr": step * 1e-5, "tokens": step * 100}
        | ({"val/loss": 1.5 + 6 / step, "val/perplexity": 4.5} if step % 10 == 0 else {})
        for step in range(1, 101)
    ]
    return make_run(
        name=f"a long name {LONG}",
        overrides=["model=lstm", "samples.prompt=What's up, 世界!"],
        config={"model": {"dim": 8, "text": LONG}, "tags": ["<script>alert(1)</script>"]},
        environment={
            "packages": {"torch": "2.13.0"},
            "code": [{"folder": "/a", "commit": "abc", "is_changed": True}],
            "hardware": {"cpu": "EPYC", "cores": 2, "memory_gb": 8.0, "gpus": [{"name": "H200"}]},
            "command": LONG,
        },
        summary={
            "status": "finished",
            "test/loss": 1.25,
            "test/bits_per_byte": 0.5,
            "parameters": 12345678,
            "step": 100,
            "seconds": 200.0,
            "baselines": {"uniform": {"loss": 5.0, "bits_per_byte": 3.0}, "xz": {"bits_per_byte": 1.5}},
        },
        lines=lines,
        samples={
            "step_00000500": "early",
            "final": SAMPLE_BREAK.join(("<b>bold</b>", "床前明月光，疑是地上霜。", LONG)),
        },
    )


def test_the_page_asks_nothing_of_the_network(full):
    text = page(full)
    assert not re.search(r"""(src|href|action)\s*=|url\(|@import|https?://|fetch\(|XMLHttpRequest|import\(""", text)


def test_what_the_model_or_the_user_wrote_is_never_markup(make_run, tags):
    evil = "<script>alert('x')</script>\"'&"
    run = make_run(
        name=evil,
        project=evil,
        overrides=[evil],
        config={evil: evil},
        environment={"packages": {evil: evil}, "command": evil, "code": [{"folder": evil}], "variables": {evil: evil}},
        summary={"status": "failed", "reason": evil, f"val/{evil}": 1.0, "baselines": {evil: {"loss": 1.0}}},
        lines=[{"step": 1, evil: 1.0, f"val/{evil}": 2.0}],
        samples={"final": evil, "step_1": evil},
        status="failed",
    )
    parsed = tags(page(run))
    assert parsed.tags.count("script") == 1
    assert parsed.text.count(evil) >= 10


def test_the_page_is_well_formed(full, tags):
    assert tags(page(full)).open == []


def test_the_result_stands_among_the_baselines_the_best_on_top(full):
    text = page(full)
    table = text[text.index("Held-out text") :]
    assert table.index("this model") < table.index("xz") < table.index("uniform")
    assert "test split" in table


def test_samples_are_shown_the_last_first(full):
    text = page(full)
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "床前明月光" in text
    assert text.index("bold") < text.index("after step 500") < text.index("early")


def test_the_command_can_be_typed_as_it_stands(full, tags):
    parsed = tags(page(full))
    assert """lmlab train model=lstm 'samples.prompt=What'"'"'s up, 世界!' fresh=true""" in parsed.text


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "running"},
        {"lines": [{"step": 0, "time": 0.0, "train/loss": 1.0}]},
        {"lines": [{"step": 1, "time": 0.0, "train/loss": math.nan, "val/loss": math.inf}]},
        {"summary": {"val/loss": math.nan, "baselines": {"uniform": {"loss": math.nan}, "other": None}}},
        {"summary": {"baselines": {}}, "samples": {"final": ""}},
    ],
)
def test_any_run_has_a_page(make_run, changes, tags):
    assert tags(page(make_run(**changes))).open == []


def test_the_report_is_written_at_once_and_alone(full):
    assert write_report(full) == full.path / "report.html"
    assert [path.name for path in full.path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_is_as_wide_as_the_window(full, tmp_path, width, title_of):
    # In a frame: a window of its own cannot be as narrow as a phone.
    measure = (
        "const root = frame.contentDocument.documentElement;"
        "for (const one of root.querySelectorAll('details')) one.open = true;"
        "document.title = `${frame.contentWindow.innerWidth} ${root.scrollWidth}`"
    )
    frame = f'<iframe id="frame" style="width:{width}px;border:0" srcdoc="{html.escape(page(full))}"></iframe>'
    title = title_of(f"<title></title>{frame}<script>onload = () => {{{measure}}}</script>")
    inner, scroll = map(int, title.split())
    assert inner == width
    assert scroll <= inner


def test_the_pointer_shows_the_values_of_the_nearest_step(full, tmp_path, title_of):
    point = (
        "const plot = document.querySelector('.plot'), box = plot.getBoundingClientRect();"
        "const clientX = box.left + box.width * 0.5;"
        "plot.dispatchEvent(new PointerEvent('pointermove', { clientX }));"
        "document.title = plot.querySelector('.tip').innerText.split('\\n').join('|')"
    )
    shown = title_of(page(full).replace("</body>", f"<script>{point}</script></body>"))
    assert shown == "step 50|train 1.140|val 1.620"


def test_the_picture_of_the_page_shows_lines_bars_and_text(full, tmp_path, browse):
    target = tmp_path / "page.png"
    browse(write_report(full), 390, f"--screenshot={target}")
    pixels = np.asarray(Image.open(target).convert("RGB")).astype(int)
    paper = pixels[2, 2]
    inked = (np.abs(pixels - paper).sum(axis=2) > 120).mean()
    assert 0.01 < inked < 0.6
    for colour in ((0x8A, 0xA4, 0xD6), (0xC2, 0x41, 0x0C), (0x2F, 0x5F, 0xB3)):  # train, val, this model's bar
        assert (np.abs(pixels - np.array(colour)).sum(axis=2) < 30).sum() > 20
