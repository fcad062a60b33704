"""Tagged sentences, divided into splits and checked as a whole before the first one is given out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

from lmlab.data.cache import cache_folder
from lmlab.data.column_lines import ColumnLayout, Sentence, Unreadable, read_sentences
from lmlab.data.equal_files import check_equal_files
from lmlab.data.fingerprint import file_hash
from lmlab.data.found import Fault
from lmlab.data.portion import check_fractions, split_of
from lmlab.examples import Tagged
from lmlab.spans import OUTSIDE, PREFIXES, SCHEMES, parted, scheme_of, spans, written
from lmlab.types import SPLITS, Mistake, Split

log = logging.getLogger(__name__)

WAYS = ("strict", "repair", "skip")
"""What a faulty sentence does: it stops, its tags are read as conlleval reads them, it is left out."""

NAMED = 3
"""So many of the places where something was wrong are told."""


class TaggedParts:
    """Files of each split, in the order of their content's hash; a split without is cut from train, by a hash of the words.

    Args:
        scheme: of the tags: auto, none, or one of SCHEMES.
        to_scheme: in which spans are written; None: as the files have them.
        on_error: one of WAYS.
    """

    def __init__(
        self,
        files: Mapping[Split, Sequence[Path]],
        layout: ColumnLayout,
        *,
        fractions: Mapping[str, int | float],
        scheme: str,
        to_scheme: str | None,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        layout.check(on_error, WAYS)
        check_fractions(fractions)
        if scheme not in ("auto", "none", *SCHEMES):
            raise Mistake(f"data.scheme={scheme} is not known; set data.scheme to auto, none, {', '.join(SCHEMES)}")
        if to_scheme is not None and to_scheme not in SCHEMES:
            raise Mistake(
                f"data.to_scheme={to_scheme} is not known; set data.to_scheme to {', '.join(SCHEMES)} or null"
            )
        self._files, self._layout, self._cache = files, layout, cache_folder(cache_dir)
        self._scheme, self._to_scheme, self._on_error = scheme, to_scheme, on_error
        self.fractions = {split: part for split, part in fractions.items() if split not in files and part}
        if "val" not in files and "val" not in self.fractions:
            raise Mistake(
                "data.split.val=0 leaves no validation sentences; set data.split.val=0.1 or give a file of them"
            )

    def fingerprint(self) -> str:
        hashes = {split: [key for key, _ in own] for split, own in self._hashed.items()}
        ways = [self._scheme, self._to_scheme, self._on_error]
        content = [hashes, asdict(self._layout), self.fractions, *ways]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Tagged]:
        return iter(self._sentences.get(split, ()))

    @cached_property
    def _hashed(self) -> dict[Split, list[tuple[str, Path]]]:
        hashed = {
            split: sorted((file_hash(path, self._cache), path) for path in own) for split, own in self._files.items()
        }
        check_equal_files(hashed)
        return hashed

    @cached_property
    def _sentences(self) -> dict[Split, list[Tagged]]:
        """Once everything has been read and nothing is found wrong."""
        faults = Faults(self._on_error)
        found = [
            (split, one) for split, own in self._hashed.items() for _, path in own for one in self._of(path, faults)
        ]
        divided = [(self._split(split, one.content), one) for split, one in found]
        scheme = self._scheme_of([one for split, one in divided if split == "train"])
        if divided and not any(split == "train" for split, _ in divided):
            raise Mistake(
                f"data.split={self.fractions} leaves no sentence for training{faults.summary()}; give more, or set smaller "
                "fractions"
            )
        checked = [(split, self._checked(one, scheme, faults)) for split, one in divided]
        known = {tag for split, one in checked if split == "train" and one is not None for tag in one.content.tags}
        sentences: dict[Split, list[Tagged]] = {
            split: [] for split in SPLITS if split == "train" or split in {*self._files, *self.fractions}
        }
        for split, one in checked:
            if one is not None and _is_known(one, known, split, faults):
                sentences[split].append(self._written(one.content, scheme))
        self._check(sentences, known, faults)
        faults.tell()
        return sentences

    def _of(self, path: Path, faults: Faults) -> Iterator[Sentence]:
        """What a file holds that can be read."""
        for one in read_sentences(path, self._layout, skip=self._on_error == "skip"):
            if isinstance(one, Unreadable):
                faults.leave_out(one.source, one.line, one.fault)
            else:
                yield one

    def _split(self, origin: Split, sentence: Tagged) -> Split:
        if origin != "train" or not self.fractions:
            return origin
        return split_of(json.dumps(sentence.words), self.fractions)

    def _scheme_of(self, training: Sequence[Sentence]) -> str | None:
        """None: tags stand for words alone."""
        if self._scheme != "auto":
            return None if self._scheme == "none" else self._scheme
        tags = [one.content.tags for one in training]
        own = {tag for sentence in tags for tag in sentence if tag != OUTSIDE}
        strange = sorted(tag for tag in own if not _is_of_scheme(tag))
        if strange and len(strange) * 2 < len(own) and any("-" in tag for tag in own - {*strange}):
            place = next(one for one in training if strange[0] in one.content.tags)
            line = place.lines[place.content.tags.index(strange[0])]
            raise Mistake(
                f"{place.source}, line {line} has the tag {strange[0]}, while most others are of spans, such as B- and I-; "
                "correct it, or set data.scheme=none"
            )
        return scheme_of(tags)

    def _checked(self, one: Sentence, scheme: str | None, faults: Faults) -> Sentence | None:
        """With tags as the scheme has them; None: it is left out."""
        if scheme is None:
            return one
        tags = one.content.tags
        for tag, line in zip(tags, one.lines):
            if not _is_of_scheme(tag):
                fault = Fault(f"has the tag {tag}, which is none of {scheme}", "correct it, or data.scheme")
                faults.leave_out(one.source, line, fault)
                return None
        right = tuple(written(spans(tags), len(tags), scheme))
        wrong = next((place for place, pair in enumerate(zip(tags, right)) if pair[0] != pair[1]), None)
        if wrong is None:
            return one
        what = f"has the tag {tags[wrong]} where {scheme} has {right[wrong]}"
        if not faults.repaired(one.source, one.lines[wrong], Fault(what, "correct it, or data.scheme")):
            return None
        return replace(one, content=Tagged(one.content.words, right))

    def _written(self, sentence: Tagged, scheme: str | None) -> Tagged:
        if self._to_scheme is None:
            return sentence
        if scheme is None:
            raise Mistake(
                f"data.to_scheme={self._to_scheme} is for tags of spans, and these are of words alone; set data.to_scheme=null"
            )
        found = written(spans(sentence.tags), len(sentence.tags), self._to_scheme)
        return Tagged(sentence.words, tuple(found))

    def _check(self, sentences: Mapping[Split, Sequence[Tagged]], known: set[str], faults: Faults) -> None:
        for split, own in sentences.items():
            if own:
                continue
            if split in self.fractions:
                raise Mistake(
                    f"data.split.{split}={self.fractions[split]} leaves no sentence for {split}; give more sentences, or set a "
                    f"larger data.split.{split}"
                )
            raise Mistake(f"no sentence of {split} is left{faults.summary()}; give files with a token a line")
        if len(known) < 2:
            raise Mistake(
                f"every training word has the tag {next(iter(known))}, so that there is nothing to learn; set data.tag to "
                "another column"
            )


class Faults:
    """What is wrong with the sentences that are read, and what is done about it."""

    def __init__(self, on_error: str) -> None:
        self._on_error = on_error
        self._left_out: list[str] = []
        self._repaired: list[str] = []

    def leave_out(self, source: Path, line: int, fault: Fault) -> None:
        if self._on_error != "skip":
            raise Mistake(_said(source, line, fault, "skip to leave such sentences out"))
        self._left_out.append(f"{source}, line {line} {fault.what}")

    def repaired(self, source: Path, line: int, fault: Fault) -> bool:
        """Whether a sentence is read nevertheless, with other tags."""
        if self._on_error == "strict":
            raise Mistake(_said(source, line, fault, "repair to read it as conlleval does"))
        if self._on_error == "skip":
            self.leave_out(source, line, fault)
            return False
        self._repaired.append(f"{source}, line {line} {fault.what}")
        return True

    def summary(self) -> str:
        return f" ({_listed(self._left_out)})" if self._left_out else ""

    def tell(self) -> None:
        for places, done in (
            (self._left_out, "left out"),
            (self._repaired, "given other tags, as conlleval reads them"),
        ):
            if places:
                were = "sentence was" if len(places) == 1 else "sentences were"
                log.warning("%d %s %s: %s", len(places), were, done, _listed(places))


def _said(source: Path, line: int, fault: Fault, way: str) -> str:
    return f"{source}, line {line} {fault.what}; {fault.change}, or set data.on_error={way}"


def _listed(places: Sequence[str]) -> str:
    more = f", and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return "; ".join(places[:NAMED]) + more


def _is_of_scheme(tag: str) -> bool:
    return tag == OUTSIDE or parted(tag)[0] in PREFIXES


def _is_known(one: Sentence, known: set[str], split: Split, faults: Faults) -> bool:
    for tag, line in zip(one.content.tags, one.lines):
        if tag not in known:
            what = f"has the tag {tag}, which no training sentence has"
            faults.leave_out(one.source, line, Fault(what, f"correct it, add one to train, or take it out of {split}"))
            return False
    return True
