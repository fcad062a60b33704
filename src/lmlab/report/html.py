"""One run as one page that needs nothing but itself (figures, curves, samples, provenance), for desk and phone."""

import html
import os
import shlex
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from lmlab.report.chart import Point, Series, chart
from lmlab.report.confusion import confusion
from lmlab.report.figure import duration, figure, short
from lmlab.report.record import Record
from lmlab.report.word_figures import curve, is_detail, word_figures
from lmlab.report.word_map import word_map
from lmlab.types import SAMPLE_BREAK

NAMES = {
    "loss": "Loss (nats per token)",
    "perplexity": "Perplexity",
    "bits_per_byte": "Bits per byte",
    "lr": "Learning rate",
    "tokens_per_second": "Tokens per second",
    "grad_norm": "Gradient norm",
    "similarity": "Word similarity (Spearman)",
    "analogies": "Analogies (share of right answers)",
}
"""Known figures in the order of the page; others follow under their own names."""

HIDDEN = ("step", "time", "tokens")

ROLES = {"train": "train", "val": "val"}

escape = html.escape


def write_report(run: Record) -> Path:
    """Write report.html into the run's folder, at once."""
    return write_page(run.path / "report.html", page(run))


def write_page(path: Path, text: str) -> Path:
    """Replace the page by `text`: whoever opens it sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    return path


def page(run: Record) -> str:
    """The whole page."""
    sections = (_header, _baselines, _confusion, _words, _curves, _samples, _repeat, _config, _environment)
    return document(run.name or run.id, "\n".join(part for section in sections for part in section(run)))


def document(title: str, body: str, *, seconds: int | None = None) -> str:
    """The frame of every page, with its style and script inside; `seconds`: it is loaded again so often."""
    here = files("lmlab.report")
    again = f'<meta http-equiv="refresh" content="{seconds}">' if seconds else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        f"<title>{escape(title)}</title><style>{here.joinpath('page.css').read_text(encoding='utf-8')}</style></head>\n"
        f"<body><main>\n{body}\n</main>"
        f"<script>{here.joinpath('page.js').read_text(encoding='utf-8')}</script></body></html>\n"
    )


def _header(run: Record) -> Iterator[str]:
    summary = run.summary
    yield f'<h1>{escape(run.name or run.id)}<span class="status {run.status}">{run.status}</span></h1>'
    about = [run.id if run.name else "", run.project, run.created.replace("T", " ").replace("+00:00", " UTC")]
    yield f'<p class="about">{escape(" · ".join(part for part in about if part))}</p>'
    if run.status in ("failed", "stopped") and summary.get("reason"):
        yield f'<p class="warning">{escape(str(summary["reason"]))}</p>'
    tiles = list(_tiles(summary))
    if tiles:
        yield f'<dl class="tiles">{"".join(tiles)}</dl>'


def _tiles(summary: Mapping[str, Any]) -> Iterator[str]:
    for key, value in summary.items():
        split, _, name = key.partition("/")
        if split in ("test", "val") and isinstance(value, float) and "/" not in name:
            yield tile(f"{split} {name.replace('_', ' ')}", figure(value))
    for key, shown in (("parameters", short), ("step", figure), ("tokens", short), ("seconds", duration)):
        if isinstance(summary.get(key), (int, float)):
            label = {"step": "steps", "seconds": "training time"}.get(key, key)
            yield tile(label, shown(summary[key]))


def tile(label: str, value: str) -> str:
    """One figure of the row at the top."""
    return f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"


def _baselines(run: Record) -> Iterator[str]:
    """The held-out result among the baselines of the same split, the best on top."""
    summary = run.summary
    split = "test" if "test/loss" in summary else "val"
    named = {name: dict(figures) for name, figures in summary.get("baselines", {}).items() if isinstance(figures, dict)}
    if not named:
        return
    is_text = any("bits_per_byte" in figures for figures in named.values())
    keys = ["loss", "bits_per_byte"] if is_text else list(dict.fromkeys(key for one in named.values() for key in one))
    own = {key: summary.get(f"{split}/{key}") for key in keys}
    rows = [("this model", own, "own"), *((name, figures, "") for name, figures in named.items())]
    scale = next(
        (key for key in reversed(keys) if all(_number(figures, key) is not None for _, figures, _ in rows)), keys[0]
    )
    rows.sort(key=lambda row: (_number(row[1], scale) or 0.0) * (1 if is_text else -1))
    widest = max((_number(figures, scale) or 0.0 for _, figures, _ in rows), default=0.0) or 1.0
    what, better = ("text", "lower") if is_text else ("examples", "higher")
    yield f"<h2>Held-out {what} <small>{split} split, {better} is better</small></h2>"
    names = {"loss": "nats/token", "bits_per_byte": "bits/byte"}
    heads = "".join(f'<th class="number">{escape(names.get(key) or key.replace("_", " "))}</th>' for key in keys)
    yield f'<div class="scroll"><table class="held"><tr><th></th>{heads}<th></th></tr>'
    for name, figures, role in rows:
        cells = "".join(f'<td class="number">{figure(figures.get(key))}</td>' for key in keys)
        bar = f'<i style="width:{(_number(figures, scale) or 0.0) / widest:.1%}"></i>'
        yield f'<tr class="{role}"><td>{escape(name)}</td>{cells}<td class="bar">{bar}</td></tr>'
    yield "</table></div>"


def _number(figures: Mapping[str, Any], key: str) -> float | None:
    value = figures.get(key)
    return float(value) if isinstance(value, (int, float)) and value == value else None


def _curves(run: Record) -> Iterator[str]:
    yield "<h2>Training</h2>"
    groups = _grouped(run)
    last_step = max((step for lines in groups.values() for line in lines for step, _ in line.points), default=0)
    drawn = [
        chart(
            NAMES.get(name) or name.replace("_", " ").capitalize(),
            lines,
            last_step=last_step,
            is_log="perplexity" in name,
            is_large=name == "loss",
        )
        for name, lines in groups.items()
    ]
    if any(drawn):
        yield f'<div class="charts">{"".join(drawn)}</div>'
    else:
        yield '<p class="about">No metrics were recorded yet.</p>'


def _grouped(run: Record) -> dict[str, list[Series]]:
    """Metrics that differ in their split only share a chart, as do the sets that word vectors are measured on."""
    points: dict[str, list[Point]] = {}
    for line in run.metrics():
        for key, value in line.items():
            if key not in HIDDEN and isinstance(value, (int, float)) and not is_detail(key.partition("/")[2]):
                points.setdefault(key, []).append((line["step"], value))
    groups: dict[str, list[Series]] = {}
    for key, values in points.items():
        split, _, name = key.rpartition("/")
        of_words = curve(key.partition("/")[2])
        if of_words:
            lines = groups.setdefault(of_words[0], [])
            lines.append(Series(of_words[1], values, f"c{len(lines) % 8 + 1}"))
        else:
            groups.setdefault(name, []).append(Series(split or name, values, ROLES.get(split, "other")))
    order = [*NAMES, *sorted(groups)]
    return {name: groups[name] for name in sorted(groups, key=order.index)}


def _confusion(run: Record) -> Iterator[str]:
    yield confusion(run.path)


def _words(run: Record) -> Iterator[str]:
    yield word_figures(run.summary)
    drawn = word_map(run.path)
    if drawn:
        yield f"<h2>A map of words</h2>{drawn}"


def _samples(run: Record) -> Iterator[str]:
    texts = dict(run.texts())
    if not texts:
        return
    yield "<h2>What it writes</h2>"
    last = texts.pop(list(texts)[-1])
    yield _cards(last)
    for name, text in reversed(texts.items()):
        label = name.replace("step_", "after step ").replace("_", " ")
        digits = name.rpartition("_")[2]
        label = f"after step {int(digits):,}" if name.startswith("step_") and digits.isdecimal() else label
        yield f"<details><summary>{escape(label)}</summary>{_cards(text)}</details>"


def _cards(text: str) -> str:
    parts = [part.strip("\n") for part in text.split(SAMPLE_BREAK)]
    return "".join(f'<div class="sample">{escape(part)}</div>' for part in parts if part.strip())


def _repeat(run: Record) -> Iterator[str]:
    yield "<h2>Repeat it</h2>"
    yield command(shlex.join(["lmlab", "train", *run.overrides, "fresh=true"]))
    yield command(f"lmlab rerun {run.id}")


def command(text: str) -> str:
    """A command line with its button."""
    return f'<div class="command"><pre class="wrap">{escape(text)}</pre><button type="button">Copy</button></div>'


def _config(run: Record) -> Iterator[str]:
    yield "<h2>Made with</h2>"
    if run.config:
        text = yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True)
        yield f"<details><summary>Configuration</summary><pre>{escape(text)}</pre></details>"


def _environment(run: Record) -> Iterator[str]:
    environment = dict(run.environment)
    packages = environment.pop("packages", {})
    rows = [("data", run.fingerprint), *_facts(environment)]
    table = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in rows if value)
    yield f'<details><summary>Code and machine</summary><table class="facts">{table}</table></details>'
    if packages:
        listed = "\n".join(f"{name}=={version}" for name, version in packages.items())
        yield f"<details><summary>Packages<small>{len(packages)}</small></summary>"
        yield f'<pre class="columns">{escape(listed)}</pre></details>'


def _facts(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for code in environment.get("code", []):
        changes = ", with changes (code.diff)" if code.get("is_changed") else ""
        yield "code", f"{code.get('commit') or 'no commit'}{changes}, {code.get('folder')}"
    hardware = environment.get("hardware", {})
    if hardware:
        gpus = ", ".join(gpu.get("name", "") for gpu in hardware.get("gpus", [])) or "no GPU"
        yield "machine", f"{hardware.get('cpu')}, {hardware.get('cores')} cores, {hardware.get('memory_gb')} GB; {gpus}"
    for key in ("threads", "python", "platform", "host", "time", "folder", "command"):
        yield key, str(environment.get(key, ""))
    for key, value in environment.get("variables", {}).items():
        yield key, str(value)
