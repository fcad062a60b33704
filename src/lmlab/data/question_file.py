"""A file of questions in the JSON of SQuAD: articles of paragraphs, each a context with its questions (Rajpurkar et al. 2016)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab.data.characters import check_characters, decoded
from lmlab.data.found import Fault, Found
from lmlab.examples import Answer, Question
from lmlab.types import Mistake

MOVED = "of the answers did not stand where they should and were found elsewhere in their context"
FORM = "write it in the JSON of SQuAD"
LOST = "of the answers stand nowhere in their context and count in evaluation alone"


@dataclass(frozen=True)
class QuestionFile:
    """Every question is an example; those of one article come into one split."""

    path: Path
    encoding: str
    repair: bool
    """Whether an answer that does not stand where it should is searched for in the context."""

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path,)

    def form(self) -> list[Any]:
        return [self.encoding, self.repair]

    def examples(self, *, skip: bool) -> Iterator[Found[Question]]:
        seen: set[str] = set()
        for place, group, context, row in _rows(self.path, _content(self.path, self.encoding, skip=skip)):
            try:
                if isinstance(row, Fault):
                    raise row
                question = self._question(context, row)
                if question.id in seen:
                    raise Fault("has the id of another question", "give it one of its own")
                seen.add(question.id)
            except Fault as fault:
                yield Found(self.path, place, fault, group)
                continue
            yield Found(self.path, place, question, group, _notes(row["answers"], question.answers))

    def _question(self, context: str, row: Mapping[str, Any]) -> Question:
        answers = row.get("answers")
        if not isinstance(answers, list):
            raise Fault("has no list of answers", "give one, empty where the context does not say")
        if row.get("is_impossible"):
            answers = []
        question = Question(
            _text(row, "id"), _text(row, "question"), context, tuple(self._answer(context, one) for one in answers)
        )
        for text in (question.question, question.context):
            check_characters(text, self.encoding)
        return question

    def _answer(self, context: str, answer: Any) -> Answer:
        text, start = _text(answer, "text"), answer.get("answer_start")
        if not isinstance(start, int):
            raise Fault("has an answer without an answer_start", "give it a number of characters")
        if start >= 0 and context.startswith(text, start):
            return Answer(text, start)
        if not self.repair:
            what = f"has the answer {text[:30]} at {start}, where its context has {context[max(start, 0) :][:30]}"
            raise Fault(what, "correct it, or set data.on_error=repair to search for it")
        places = [match.start() for match in re.finditer(re.escape(text), context)]
        return Answer(text, min(places, key=lambda place: abs(place - start), default=None))


def _notes(written: Sequence[Mapping[str, Any]], answers: Sequence[Answer]) -> tuple[str, ...]:
    """What was put right, an answer at a time."""
    starts = [(one["answer_start"], answer.start) for one, answer in zip(written, answers)]
    return tuple(LOST if found is None else MOVED for wrong, found in starts if found != wrong)


def _content(path: Path, encoding: str, *, skip: bool) -> Any:
    text = decoded(path, encoding, skip=skip)
    if not text.strip():
        raise Mistake(f"{path} is empty; give a file of questions in the JSON of SQuAD")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Mistake(
            f"{path}, line {error.lineno}, column {error.colno} is no JSON ({error.msg}); correct it or fetch it again"
        ) from None
    except RecursionError:
        raise Mistake(f"{path} is JSON of too many levels; give a file in the JSON of SQuAD") from None


def _rows(path: Path, content: Any) -> Iterator[tuple[str, str, str, Mapping[str, Any] | Fault]]:
    """Place, article, context and content of every question, or what is wrong with it or with its paragraph."""
    for number, article in enumerate(_list(path, content, "data", "the file"), start=1):
        place = f"article {number}"
        group = str(article.get("title") or place) if isinstance(article, Mapping) else place
        for count, paragraph in enumerate(_list(path, article, "paragraphs", place), start=1):
            where = f"{place}, paragraph {count}"
            try:
                context, rows = _paragraph(paragraph)
            except Fault as fault:
                yield where, group, "", fault
                continue
            for index, row in enumerate(rows, start=1):
                if isinstance(row, Mapping):
                    yield f"{where}, question {row.get('id', index)}", group, context, row
                else:
                    yield f"{where}, question {index}", group, context, Fault("is no object", FORM)


def _paragraph(paragraph: Any) -> tuple[str, list[Any]]:
    """Context and questions."""
    context, rows = (paragraph.get(key) if isinstance(paragraph, Mapping) else None for key in ("context", "qas"))
    if not isinstance(rows, list):
        raise Fault("has no list qas", FORM)
    if not isinstance(context, str) or not context.strip():
        raise Fault(f"has no context, which {len(rows)} questions are about", FORM)
    return context, rows


def _list(path: Path, content: Any, key: str, place: str) -> list[Any]:
    found = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(found, list):
        raise Mistake(f"{path}: {place} has no list {key}; give a file in the JSON of SQuAD")
    return found


def _text(row: Any, key: str) -> str:
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise Fault(f"has no {key}, or an empty one", "give one in quotes")
    return value
