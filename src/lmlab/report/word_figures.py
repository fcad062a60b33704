"""Figures of word vectors, `val/similarity/men` and `val/analogy@full/family`, as bars with their coverage."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from lmlab.report.figure import figure

SIMILARITY = "similarity"

ANALOGY = re.compile(r"(?P<set>[^/@]+)@(?P<size>30k|full)(/(?P<section>.+))?")

COVERAGE = "coverage"

TITLES = {"analogy": "Analogies", "analogy_mul": "Analogies by 3CosMul", "ca8": "Chinese analogies (CA8)"}

SUMS = ("", "semantic", "syntactic")
"""Sections of an analogy set that are sums of others: they stand above these."""


@dataclass
class Share:
    """A figure and the share of its set that it was measured on."""

    value: float | None = None
    coverage: float | None = None


@dataclass
class _Found:
    similarity: dict[str, Share] = field(default_factory=dict)
    analogy: dict[str, dict[str, dict[str, Share]]] = field(default_factory=dict)
    """Set -> section, "" for all -> size -> share."""


def word_figures(summary: Mapping[str, Any]) -> str:
    """A table of similarity and one of each analogy set; nothing where the summary has no such figure."""
    for split in ("test", "val"):
        prefix = f"{split}/"
        found = _collect({key.removeprefix(prefix): value for key, value in summary.items() if key.startswith(prefix)})
        if found.similarity or found.analogy:
            return "".join((*_similarity(found), *_analogies(found)))
    return ""


def is_detail(name: str) -> bool:
    """Whether a figure (without its split) belongs into these tables alone: coverage, and the sections of analogies."""
    analogy = ANALOGY.fullmatch(name)
    return (analogy is not None and analogy["section"] is not None) or (
        name.startswith(f"{SIMILARITY}/") and name.endswith(f"/{COVERAGE}")
    )


def curve(name: str) -> tuple[str, str] | None:
    """The chart of a figure (without its split) and its line there; None for a figure of another kind."""
    if name.startswith(f"{SIMILARITY}/"):
        return SIMILARITY, name.removeprefix(f"{SIMILARITY}/")
    return ("analogies", name) if ANALOGY.fullmatch(name) else None


def _collect(figures: Mapping[str, Any]) -> _Found:
    found = _Found()
    for name, value in figures.items():
        if not isinstance(value, float):
            continue
        base, is_coverage = (name.removesuffix(f"/{COVERAGE}"), name.endswith(f"/{COVERAGE}"))
        analogy = ANALOGY.fullmatch(base)
        if base.startswith(f"{SIMILARITY}/"):
            share = found.similarity.setdefault(base.removeprefix(f"{SIMILARITY}/"), Share())
        elif analogy:
            sections = found.analogy.setdefault(analogy["set"], {})
            share = sections.setdefault(analogy["section"] or "", {}).setdefault(analogy["size"], Share())
        else:
            continue
        if is_coverage:
            share.coverage = value
        else:
            share.value = value
    return found


def _similarity(found: _Found) -> Iterator[str]:
    if not found.similarity:
        return
    yield "<h2>Word similarity <small>Spearman's rank correlation with people's judgements</small></h2>"
    yield '<div class="scroll"><table class="held words"><tr><th></th><th class="number">correlation</th>'
    yield '<th class="number">coverage</th><th></th></tr>'
    for name, share in found.similarity.items():
        yield f"<tr><td>{escape(name)}</td>{_cells(share, figure)}{_bar(share.value)}</tr>"
    yield "</table></div>"


def _analogies(found: _Found) -> Iterator[str]:
    for name, sections in found.analogy.items():
        sizes = [size for size in ("30k", "full") if any(size in by_size for by_size in sections.values())]
        yield f"<h2>{escape(TITLES.get(name, name))} <small>{_explained(sizes)}</small></h2>"
        heads = "".join(f'<th class="number">@{size}</th><th class="number">coverage</th>' for size in sizes)
        yield f'<div class="scroll"><table class="held words"><tr><th></th>{heads}<th></th></tr>'
        for section in sorted(sections, key=lambda one: SUMS.index(one) if one in SUMS else len(SUMS)):
            shares = [sections[section].get(size, Share()) for size in sizes]
            cells = "".join(_cells(share, _percent) for share in shares)
            role = "own" if section == "" else ""
            yield f'<tr class="{role}"><td>{escape(section or "all")}</td>{cells}{_bar(shares[-1].value)}</tr>'
        yield "</table></div>"


def _explained(sizes: list[str]) -> str:
    known = {"30k": "@30k: among the 30,000 most frequent words", "full": "@full: among all"}
    return "share of right answers; " + ", ".join(known[size] for size in sizes)


def _cells(share: Share, shown: Any) -> str:
    coverage = _percent(share.coverage) if share.coverage is not None else ""
    value = "" if share.value is None else shown(share.value)
    return f'<td class="number">{value}</td><td class="number soft">{coverage}</td>'


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _bar(value: float | None) -> str:
    return f'<td class="bar"><i style="width:{max(0.0, min(1.0, value or 0.0)):.1%}"></i></td>'
