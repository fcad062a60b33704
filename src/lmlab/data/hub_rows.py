"""Rows of a table with typed columns, as the `datasets` library gives them, as examples of each type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab.data.chat_file import ChatFile
from lmlab.data.found import Fault
from lmlab.data.template import USER, conversation
from lmlab.examples import Answer, Conversation, Labelled, Question, SourceTarget, Tagged
from lmlab.types import Mistake, Text

Read = tuple[Any, str]
"""An example, and the group by which train is divided; the example is None where the row holds none."""


@dataclass(frozen=True, kw_only=True)
class HubRows:
    """Which columns make an example, and of which type: that of the first of these keys that is set."""

    messages: str | None
    question: str | None
    tokens: str | None
    tags: str | None
    source: str | None
    target: str | None
    label: str | None
    text: tuple[str, ...]
    template: Mapping[str, str]

    def __post_init__(self) -> None:
        for one, other in (("tokens", "tags"), ("source", "target")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                missing = one if getattr(self, one) is None else other
                raise Mistake(f"data.{one} and data.{other} go together; set data.{missing} to a column as well")

    @property
    def example(self) -> type:
        """The type."""
        kinds = [(self.messages, Conversation), (self.question, Question), (self.tokens, Tagged)]
        kinds += [(self.source, SourceTarget), (self.label, Labelled)]
        return next((kind for column, kind in kinds if column is not None), Text)

    @property
    def columns(self) -> dict[str, str]:
        """Column -> the key that names it."""
        named = {
            Conversation: {"messages": self.messages},
            Question: {"question": self.question, "context": "context", "answers": "answers"},
            Tagged: {"tokens": self.tokens, "tags": self.tags},
            SourceTarget: {"source": self.source, "target": self.target},
        }.get(self.example, {"label": self.label})
        found = {str(column): f"data.{key}" for key, column in named.items() if column is not None}
        texts = dict.fromkeys(self.text, "data.text") if self.example in (Text, Labelled) else {}
        return {**texts, **found}

    def read(self, row: Mapping[str, Any], number: int, labels: Mapping[str, list[str]]) -> Read:
        """A row's example.

        Args:
            number: of the row, from 1.
            labels: column -> the names of its numbers.

        Raises:
            Fault: where the row is not of the type.
        """
        if self.example is Conversation:
            return self._conversation(_at(row, str(self.messages)))
        if self.example is Question:
            return _question(row, str(self.question), number)
        if self.example is Tagged:
            words, tags = _at(row, str(self.tokens)), _at(row, str(self.tags))
            if len(words) != len(tags):
                raise Fault(f"has {len(words)} words and {len(tags)} tags", "correct it")
            names = [_name(tag, labels.get(str(self.tags))) for tag in tags]
            return (Tagged(tuple(words), tuple(map(str, names))) if words else None), json.dumps(words)
        if self.example is SourceTarget:
            source, targets = _text(_at(row, str(self.source))), _at(row, str(self.target))
            texts = tuple(filter(str.strip, map(_text, targets if isinstance(targets, list) else [targets])))
            return (SourceTarget(source, texts) if source.strip() and texts else None), source
        texts = tuple(_text(_at(row, column)) for column in self.text)
        group = json.dumps(texts) if len(texts) > 1 else texts[0]
        if not all(map(str.strip, texts)):
            return None, group
        if self.example is Text:
            return Text("".join(texts)), group
        label = _name(_at(row, str(self.label)), labels.get(str(self.label)))
        return (None if label is None else Labelled(texts, (label,))), group

    def _conversation(self, messages: Any) -> Read:
        reader = ChatFile(
            path=Path(),
            messages=str(self.messages),
            role="role",
            content="content",
            role_names={},
            template=self.template,
            encoding="utf-8",
        )
        turns = reader.turns(messages)
        first = next((text for role, text in turns if role == USER), turns[0][1])
        return conversation(turns, self.template), first


def _at(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or of a field within: translation.en."""
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise Fault(
            f"has for a text what is none: {json.dumps(value, default=str)[:30]}", "name another column in data"
        )
    return value or ""


def _name(value: Any, names: list[str] | None) -> str | None:
    """A label by its name; None where a row has none, which the hub writes as -1."""
    if value is None or (names is not None and value == -1):
        return None
    if names is not None and isinstance(value, int):
        return names[value]
    return value if isinstance(value, str) else json.dumps(value)


def _question(row: Mapping[str, Any], column: str, number: int) -> Read:
    context, answers = _text(_at(row, "context")), _at(row, "answers") or {}
    texts = answers.get("text") or []
    starts = answers.get("answer_start") or [None] * len(texts)
    if len(texts) != len(starts):
        raise Fault(f"has {len(texts)} answers and {len(starts)} places of answers", "correct it")
    found = tuple(map(Answer, texts, starts))
    if wrong := next((answer for answer in found if not _stands(answer, context)), None):
        raise Fault(
            f"has the answer {wrong.text[:20]!r}, which does not stand at {wrong.start} of its context", "correct it"
        )
    question = Question(str(row.get("id", number)), _text(_at(row, column)), context, found)
    return question, str(row.get("title") or context)


def _stands(answer: Answer, context: str) -> bool:
    """Whether an answer is where it says, if it says so."""
    return answer.start is None or context.startswith(answer.text, answer.start)
