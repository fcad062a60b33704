"""The result of one run as text: held-out figures beside the baselines of the same split, samples, where the page is."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from lmlab.report.confusion import table_of
from lmlab.report.record import Record
from lmlab.types import SAMPLE_BREAK


def result(run: Record) -> str:
    """What `lmlab train` prints at its end."""
    return "\n".join([*_figures(run.summary), *_samples(run), *_places(run)]) + "\n"


def _figures(summary: Mapping[str, Any]) -> Iterator[str]:
    split = "test" if "test/loss" in summary else "val"
    yield ""
    if f"{split}/bits_per_byte" in summary:
        yield from _of_text(summary, split)
    else:
        yield from _of_words(summary) if _has_words(summary) else _of_examples(summary, split)
    yield ""
    yield (
        f"{summary.get('parameters', 0):,} parameters, {summary.get('step', 0):,} steps, {summary.get('tokens', 0):,} tokens, "
        f"{summary.get('seconds', 0):.0f} s; best after step {summary.get('best_step', summary.get('step'))}"
    )


def _of_examples(summary: Mapping[str, Any], split: str) -> Iterator[str]:
    """Every score, then those of simple methods on the same examples."""
    yield f"held-out examples ({split} split)"
    for name, value in summary.items():
        if name.startswith(f"{split}/"):
            yield f"  {name.removeprefix(f'{split}/').replace('_', ' '):<40}{value:>8.3f}"
    for name, figures in summary.get("baselines", {}).items():
        for score, value in figures.items():
            label = f"{score.replace('_', ' ')} of {name}"
            yield f"  {label:<40}{value:>8.3f}"


def _has_words(summary: Mapping[str, Any]) -> bool:
    """Whether vectors of words are what was measured: each of their sets is covered in part."""
    return any(name.endswith("/coverage") for name in summary)


def _of_words(summary: Mapping[str, Any]) -> Iterator[str]:
    """The losses, and of each word set how well the vectors do and on how much of it."""
    for split in ("val", "test"):
        if f"{split}/loss" in summary:
            yield f"{f'loss of held-out text ({split})':<40}{summary[f'{split}/loss']:>10.4f}"
    for name, value in summary.items():
        is_part = name.rpartition("/")[0] in summary
        if name.startswith("val/") and f"{name}/coverage" in summary and not is_part:
            yield f"{name.removeprefix('val/'):<40}{value:>10.4f}   on {summary[f'{name}/coverage']:.1%} of it"


def _of_text(summary: Mapping[str, Any], split: str) -> Iterator[str]:
    yield f"held-out text ({split} split)       nats/token   perplexity   bits/byte"
    if f"{split}/loss" in summary:
        loss, perplexity = summary[f"{split}/loss"], summary[f"{split}/perplexity"]
        yield _row("this model", loss, perplexity, summary[f"{split}/bits_per_byte"])
    for name, figures in summary.get("baselines", {}).items():
        if isinstance(figures, dict):
            loss = figures.get("loss")
            yield _row(name, loss, None if loss is None else math.exp(loss), figures.get("bits_per_byte"))


def _row(name: str, *figures: float | None) -> str:
    shown = (f"{figure:>12.3f}" if figure is not None else f"{'':>12}" for figure in figures)
    return f"  {name:<28}" + " ".join(shown)


def _samples(run: Record) -> Iterator[str]:
    final = run.texts().get("final", "")
    for number, text in enumerate(final.split(SAMPLE_BREAK), start=1):
        yield ""
        yield f"sample {number}"
        yield from (f"  {line}" for line in (text.strip() or "(empty)").split("\n"))


def _places(run: Record) -> Iterator[str]:
    yield ""
    yield f"weights sha256  {run.summary.get('weights_sha256', '')}"
    yield f"run folder      {run.path}"
    yield f"report          {run.path / 'report.html'}"
    if (table := table_of(run.path)) is not None:
        yield f"confusion       {table}"
