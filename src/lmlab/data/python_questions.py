"""Questions about the functions of the standard library: what is the default of a parameter, which one comes first?

Sources are read by `ast`; nothing is imported or executed. They differ between Python versions, so figures on them name the
Python and the fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lmlab.data.cache import cache_folder, write_whole
from lmlab.data.portion import check_fractions, split_of
from lmlab.data.python_tokens import place_of, source_of
from lmlab.data.signatures import Asked, asked
from lmlab.data.stdlib import library_sources, module_name, sources_key
from lmlab.examples import Answer, Question
from lmlab.types import Mistake, Split

log = logging.getLogger(__name__)

VERSION = 1
"""To be raised with every change of what is read, so that older cached questions are not taken for it."""

UNANSWERED = 3
"""Of so many questions without an answer one is asked."""

Row = tuple[str, str, list[tuple[str, str, int]]]
"""Name and context of a function, questions with their answers: text and start, -1 for none."""


class PythonQuestions:
    """A module's functions stand in one split, and no context twice.

    Args:
        num_questions: in all splits together; modules are taken in the order of a hash of their names until there are as many.
        split: fractions of the modules for validation and test, by another hash.
        cache_dir: where the questions are kept.
    """

    example = Question

    def __init__(self, *, num_questions: int, split: Mapping[str, int | float], cache_dir: str | None) -> None:
        check_fractions(split)
        if num_questions < 1:
            raise Mistake(f"data.num_questions={num_questions} leaves nothing to ask; set it to e.g. 30000")
        self._num_questions, self._split = num_questions, split
        self._cache = cache_folder(cache_dir) / "python_questions"
        self._root = Path(sysconfig.get_path("stdlib"))

    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([self._modules, sorted(self._split.items())]).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Question]:
        is_any = False
        for module, rows in self._modules:
            if split_of(module, self._split) == split:
                is_any |= bool(rows)
                for row in rows:
                    yield from _questions(module, row)
        if not is_any and self._split.get(split, 1):  # train has no fraction
            raise Mistake(
                f"data.num_questions={self._num_questions} leaves no module for {split}; set it to e.g. 30000"
            )

    @cached_property
    def _modules(self) -> list[tuple[str, list[Row]]]:
        """Read once on a machine, then from the cache."""
        sources = library_sources(self._root)
        key = hashlib.sha256(json.dumps([VERSION, sources_key(self._root, sources), self._num_questions]).encode())
        path = self._cache / f"{key.hexdigest()[:32]}.json"
        try:
            return _kept(path.read_bytes())
        except (OSError, ValueError, TypeError):  # not there yet, or damaged
            content = json.dumps(self._found(sources)).encode()
        try:
            write_whole(path, content)
        except OSError as error:
            log.warning("cannot keep the questions (%s); set LMLAB_CACHE to a writable folder", error)
        return _kept(content)

    def _found(self, sources: Sequence[Path]) -> list[tuple[str, list[Row]]]:
        named = sorted(((module_name(self._root, path), path) for path in sources), key=lambda one: place_of(one[0]))
        modules, seen, number = [], set[str](), 0
        for module, path in named:
            if number >= self._num_questions:
                break
            rows = []
            for one in asked(source_of(path)):
                if one.context not in seen and (row := _row(module, one))[2]:
                    seen.add(one.context)
                    rows.append(row)
                    number += len(row[2])
            modules.append((module, rows))
        if not number:
            raise Mistake(
                f"this Python {platform.python_version()} has no library sources under {self._root}; use questions of your "
                "own in the JSON of SQuAD: data=squad_files data.root=..."
            )
        return modules


def _kept(content: bytes) -> list[tuple[str, list[Row]]]:
    found = json.loads(content)
    return [
        (
            module,
            [(name, context, [(asked, text, start) for asked, text, start in rows]) for name, context, rows in kept],
        )
        for module, kept in found
    ]


def _row(module: str, one: Asked) -> Row:
    """Its questions with an answer, and some of those without: the same ones everywhere."""
    chosen = [
        (question, answer.text, -1 if answer.start is None else answer.start) if answer else (question, "", -1)
        for question, answer in one.questions
        if answer or hashlib.sha256(f"{module} {one.name} {question}".encode()).digest()[0] % UNANSWERED == 0
    ]
    return one.name, one.context, chosen


def _questions(module: str, row: Row) -> Iterator[Question]:
    name, context, questions = row
    for question, text, start in questions:
        answers = (Answer(text, start),) if start >= 0 else ()
        yield Question(f"{module}.{name} {question}", question, context, answers)
