"""A file of conversations, each a line of JSON: {"messages": [{"role": "user", "content": "Hello"}, ...]}."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab.data.characters import check_characters
from lmlab.data.form import Form
from lmlab.data.found import Fault, Found
from lmlab.data.rows import read_rows
from lmlab.data.template import ASSISTANT, USER, conversation
from lmlab.examples import Conversation

FORM = Form(format="jsonl", separator=None, quoting=None, header=True, names=None, columns=None, key="data")


@dataclass(frozen=True, kw_only=True)
class ChatFile:
    """Every line is a conversation; those that begin with the same words of the user come into one split."""

    path: Path
    messages: str
    """Key of the list of turns."""
    role: str
    """Key of who says something, in each turn."""
    content: str
    """Key of what is said."""
    role_names: Mapping[str, str]
    """What the file's roles are called in the template, where that is another name."""
    template: Mapping[str, str]
    encoding: str

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path,)

    def form(self) -> list[Any]:
        names = [self.messages, self.role, self.content, sorted(self.role_names.items())]
        return [*names, list(self.template.items()), self.encoding]

    def examples(self, *, skip: bool) -> Iterator[Found[Conversation]]:
        columns = [("data.messages", self.messages)]
        for line, row in read_rows(self.path, FORM, columns, encoding=self.encoding, skip=skip):
            place = f"line {line}"
            try:
                if isinstance(row, Fault):
                    raise row
                turns = self.turns(row[0])
            except Fault as fault:
                yield Found(self.path, place, fault)
                continue
            first = next((text for role, text in turns if role == USER), turns[0][1])
            yield Found(self.path, place, conversation(turns, self.template), first)

    def turns(self, messages: Any) -> list[tuple[str, str]]:
        """Role and text of each message; a Fault where it is no conversation with a reply."""
        if not isinstance(messages, list):
            raise Fault(f"has for {self.messages} what is no list: {_short(messages)}", "write a list of messages")
        turns = [self._turn(number, message) for number, message in enumerate(messages, start=1)]
        if ASSISTANT not in [role for role, _ in turns[1:]]:
            raise Fault(f"has no reply: no message of {ASSISTANT} behind another one", "add one, or take the line away")
        return turns

    def _turn(self, number: int, message: Any) -> tuple[str, str]:
        if not isinstance(message, dict):
            raise Fault(f"has a message {number} that is no object: {_short(message)}", "write role and content in it")
        for key, place in ((self.role, "data.role"), (self.content, "data.content")):
            if key not in message:
                raise Fault(f"has no {key} in message {number}", f"add it, or set {place} to the key that there is")
        role, text = message[self.role], message[self.content]
        if isinstance(role, str):
            role = self.role_names.get(role, role)
        if not isinstance(role, str) or role not in self.template:
            known = ", ".join(self.template)
            what = f"has the role {_short(message[self.role])} in message {number}, which is none of {known}"
            raise Fault(what, "correct it, or say in data.role_names which of these it is")
        if not isinstance(text, str):
            raise Fault(f"has a {self.content} in message {number} that is no text: {_short(text)}", "write a text")
        check_characters(text, self.encoding)
        if not text.strip():
            raise Fault(f"has an empty {self.content} in message {number}", "write a text, or take the message away")
        return role, text.strip()


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[:30]
