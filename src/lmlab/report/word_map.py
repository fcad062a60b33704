"""Words at their places in two dimensions, as HTML: those labels that do not cover each other, the others under the pointer."""

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmlab.report.figure import figure

FILE = "word_map.json"

METHODS = {"tsne": "t-SNE", "pca": "PCA"}
"""Part of the file -> its name, the first being shown first."""

WIDE = (960.0, 560.0)
NARROW = (320.0, 420.0)
"""Width and height in pixels of the drawing on a desk and on a phone, as page.css has it."""

LETTER, HAN, HEIGHT, BESIDE = 7.2, 13.0, 16.0, 5.0
"""Pixels: the width of a letter and of a Chinese character, the height of a label, and how far it is from its dot."""

MARGIN = 0.06

Point = tuple[float, float]


def word_map(folder: Path) -> str:
    """A switch between the maps that the run's folder holds; nothing where it has none."""
    path = folder / FILE
    if not path.exists():
        return ""
    try:
        drawn = json.loads(path.read_text(encoding="utf-8"))
        maps = {method: _inside(drawn[method]) for method in METHODS if drawn.get(method)}
        views = [_view(method, maps[method], drawn) for method in maps]
    except (ValueError, TypeError, KeyError, AttributeError):
        return f'<p class="warning">{FILE} of this run cannot be read.</p>'
    if not views:
        return ""
    switches = "".join(
        f'<input type="radio" name="map" id="map-{method}"{"" if index else " checked"}>'
        f'<label for="map-{method}">{METHODS[method]}</label>'
        for index, method in enumerate(maps)
    )
    return f'<div class="card maps">{switches}{"".join(views)}</div>'


def _view(method: str, places: Sequence[Point], drawn: Mapping[str, Any]) -> str:
    words, counts = drawn["words"], drawn["counts"]
    marks = [
        (x, y, word, f"{figure(count)} times in the training text")
        for (x, y), word, count in zip(places, words, counts)
    ]
    wide, narrow = _labelled(places, words, WIDE), _labelled(places, words, NARROW)
    labels = "".join(
        f'<b class="{"" if index in narrow else "wide "}{"" if index in wide else "narrow "}{_side(x)}" '
        f'style="left:{x:.2%};bottom:{y:.2%}">{html.escape(words[index])}</b>'
        for index, (x, y) in enumerate(places)
        if index in wide or index in narrow
    )
    dots = "".join(f"M{x * 1000:.0f} {1000 - y * 1000:.0f}h0" for x, y in places)
    name = f"{len(places)} words by {METHODS[method]}"
    return (
        f'<div class="view {method}"><p class="about">{_about(method, drawn)}</p>'
        f'<div class="plot words" data-dots="{html.escape(json.dumps(marks, ensure_ascii=False))}">'
        f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label="{name}">'
        f'<path class="dot other" d="{dots}"/></svg>{labels}</div></div>'
    )


def _about(method: str, drawn: Mapping[str, Any]) -> str:
    number = len(drawn["words"])
    if method == "pca":
        share = sum(drawn["explained"])
        return f"The {number} most frequent words; the plane holds {share:.0%} of the variance of their directions."
    return f"The {number} most frequent words; those with like neighbours lie together, distances across mean little."


def _inside(places: Sequence[Sequence[float | int]]) -> list[Point]:
    """Both axes to MARGIN ... 1 - MARGIN."""
    columns = list(zip(*places))
    scaled = [_scaled([float(value) for value in column]) for column in columns]
    return [(x, y) for x, y in zip(*scaled, strict=True)]


def _scaled(values: Sequence[float]) -> list[float]:
    if not all(math.isfinite(value) for value in values):
        raise ValueError("a place is not finite")
    low, high = min(values), max(values)
    width = (high - low) or 1.0
    return [MARGIN + (1 - 2 * MARGIN) * (value - low) / width for value in values]


def _side(x: float) -> str:
    """Labels stand on the side of their dot where there is more room."""
    return "left" if x > 0.5 else "right"


def _labelled(places: Sequence[Point], words: Sequence[str], size: tuple[float, float]) -> set[int]:
    """Those whose labels fit, the more frequent first: a label may lie on dots, but on no other label."""
    taken: list[tuple[float, float, float, float]] = []
    kept = set()
    for index, ((x, y), word) in enumerate(zip(places, words)):
        width = sum(HAN if ord(letter) >= 0x2E80 else LETTER for letter in word)
        start = x * size[0] + BESIDE if _side(x) == "right" else x * size[0] - BESIDE - width
        box = (start, y * size[1] - HEIGHT / 2, start + width, y * size[1] + HEIGHT / 2)
        if box[0] >= -20 and box[2] <= size[0] + 20 and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            kept.add(index)
    return kept


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
