"""Docstrings of the standard library and their summary lines (PEP 257): summarisation with text that every Python carries."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from lmlab.data.portion import split_of
from lmlab.data.stdlib import Document, Stdlib
from lmlab.examples import SourceTarget
from lmlab.types import Mistake, Split

ENDS = re.compile(r"[.!?:]\s+\S")
"""Between two sentences, or where a sentence goes on with a list."""

CODE = re.compile(r">>>|->|[=_]{2}|^[\w.]+\(|[:;]$")
"""A first line that is no summary: an example, a signature, an underlined heading, the beginning of a list."""


class Summaries:
    """Source: what a docstring says below its first paragraph. Target: that paragraph, where it is one sentence.

    Args:
        source_size: least and most characters of a source; docstrings beyond are left out.
        target_size: least and most characters of a target.
        split: fractions of the docstrings for validation and test, by a hash of their names.
        cache_dir: where the parsed text is kept.
    """

    example = SourceTarget

    def __init__(
        self,
        *,
        source_size: Sequence[int],
        target_size: Sequence[int],
        split: Mapping[str, int | float],
        cache_dir: str | None,
    ) -> None:
        for key, size in (("source_size", source_size), ("target_size", target_size)):
            if len(size) != 2 or not 1 <= size[0] <= size[1]:
                raise Mistake(
                    f"data.{key}={list(size)} is no range; set data.{key} to the least and the most characters, "
                    "such as [80,2000]"
                )
        self._source_size, self._target_size, self._split = source_size, target_size, split
        self._stdlib = Stdlib(split=split, cache_dir=cache_dir)

    def fingerprint(self) -> str:
        content = [self._stdlib.fingerprint(), list(self._source_size), list(self._target_size)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[SourceTarget]:
        found = [pair for name, pair in self._pairs.items() if split_of(name, self._split) == split]
        if not found and (split == "train" or self._split.get(split)):
            raise Mistake(
                f"data.source_size={list(self._source_size)} and data.target_size={list(self._target_size)} leave no "
                f"docstring for {split}; set them to wider ranges"
            )

        for source, target in found:
            yield SourceTarget(source, (target,))

    @cached_property
    def _pairs(self) -> dict[str, tuple[str, str]]:
        """Body and summary by name; a body that stands below several summaries is about none of them."""
        found = {document.name: summarized(document) for document in self._stdlib.documents}
        pairs = {name: pair for name, pair in found.items() if pair is not None and self._fits(*pair)}
        bodies = Counter(body for body, _ in pairs.values())
        return {name: pair for name, pair in pairs.items() if bodies[pair[0]] == 1}

    def _fits(self, source: str, target: str) -> bool:
        (least, most), (shortest, longest) = self._source_size, self._target_size
        return least <= len(source) <= most and shortest <= len(target) <= longest


def summarized(document: Document) -> tuple[str, str] | None:
    """What stands below the summary, and the summary; None where a docstring has none, or nothing else."""
    if document.kind == "topic":
        return None
    first, _, rest = document.text.partition("\n\n")
    summary, body = " ".join(first.split()), rest.strip()
    is_sentence = "\n" not in first.strip() or summary.endswith(".")
    if not body or not is_sentence or " " not in summary or ENDS.search(summary) or CODE.search(summary):
        return None
    return body, summary
