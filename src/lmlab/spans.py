"""Spans in tags of the schemes IOB1, IOB2 and IOBES (Tjong Kim Sang and Veenstra 1999), read as conlleval reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"

SCHEMES = ("iob1", "iob2", "iobes")
"""iob1: B- only where a span follows one of its kind at once; iob2: at the start of each; iobes: E- at the end, S- alone."""

PREFIXES = ("B", "I", "E", "S")


class Span(NamedTuple):
    """Words `first` to `end` - 1."""

    kind: str
    """Empty where tags are prefixes alone."""
    first: int
    end: int


def parted(tag: str) -> tuple[str, str]:
    """Prefix and kind: `B-PER` -> B, PER."""
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def have_spans(tags: Collection[str]) -> bool:
    """Whether these are tags of a scheme."""
    prefixes = {parted(tag)[0] for tag in tags if tag != OUTSIDE}
    return bool(prefixes & {"B", "I"}) and prefixes <= {*PREFIXES}


def spans(tags: Iterable[str]) -> list[Span]:
    """Of a sentence. What no scheme allows counts as for conlleval: an I- or E- where no span of its kind goes on starts one."""
    found: list[Span] = []
    before, kind = OUTSIDE, ""
    for place, tag in enumerate(tags):
        prefix, own = parted(tag)
        if prefix == OUTSIDE:
            before, kind = OUTSIDE, ""
            continue
        if prefix in ("B", "S") or before in (OUTSIDE, "E", "S") or own != kind:
            found.append(Span(own, place, place))
        found[-1] = found[-1]._replace(end=place + 1)
        before, kind = prefix, own
    return found


def written(found: Sequence[Span], length: int, scheme: str) -> list[str]:
    """The tags of a sentence of so many words."""
    tags = [OUTSIDE] * length
    for number, span in enumerate(found):
        is_adjacent = number > 0 and found[number - 1].end == span.first and found[number - 1].kind == span.kind
        for place in range(span.first, span.end):
            prefix = _prefix(scheme, place == span.first, place == span.end - 1, is_adjacent)
            tags[place] = f"{prefix}-{span.kind}" if span.kind else prefix
    return tags


def _prefix(scheme: str, is_first: bool, is_last: bool, is_adjacent: bool) -> str:
    if scheme == "iob1":
        return "B" if is_first and is_adjacent else "I"
    if scheme == "iobes" and is_last:
        return "S" if is_first else "E"
    return "B" if is_first else "I"


def scheme_of(sentences: Iterable[Sequence[str]]) -> str | None:
    """The scheme of tags, by what is found in them; None: of no scheme.

    E- or S- tell iobes. Of the spans that follow none of their kind, those of iob2 start with B- and those of iob1 with I-:
    what most of them do decides.
    """
    tags: set[str] = set()
    num_spans = {"B": 0, "I": 0}
    for sentence in sentences:
        tags.update(sentence)
        before: Span | None = None
        for span in spans(sentence):
            prefix = parted(sentence[span.first])[0]
            is_adjacent = before is not None and before.end == span.first and before.kind == span.kind
            if prefix in num_spans and not is_adjacent:
                num_spans[prefix] += 1
            before = span
    if not have_spans(tags):
        return None
    if {parted(tag)[0] for tag in tags} & {"E", "S"}:
        return "iobes"
    return "iob2" if num_spans["B"] >= num_spans["I"] else "iob1"
