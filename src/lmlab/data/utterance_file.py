"""A file of dialogues between two, one a line, with a mark behind each utterance (Li et al. 2017, DailyDialog)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab.data.characters import check_characters, whole_text
from lmlab.data.found import Fault, Found
from lmlab.data.template import ASSISTANT, USER, conversation
from lmlab.examples import Conversation


@dataclass(frozen=True, kw_only=True)
class UtteranceFile:
    """The two alternate as user and assistant, so that the last word is the assistant's."""

    path: Path
    separator: str
    template: Mapping[str, str]
    encoding: str

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path,)

    def form(self) -> list[Any]:
        return [self.separator, list(self.template.items()), self.encoding]

    def examples(self, *, skip: bool) -> Iterator[Found[Conversation]]:
        text = whole_text(self.path, self.encoding, skip=skip, holds="a dialogue a line")
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield self._found(f"line {number}", line)

    def _found(self, place: str, line: str) -> Found[Conversation]:
        texts = [text.strip() for text in line.strip().removesuffix(self.separator).split(self.separator)]
        try:
            check_characters(line, self.encoding)
            if not all(texts):
                raise Fault("has an empty utterance", "write one, or take its mark away")
            if len(texts) < 2:
                raise Fault(f"has no reply: {self.separator} does not stand between two utterances", "add one")
        except Fault as fault:
            return Found(self.path, place, fault)
        return Found(self.path, place, conversation(zip(roles_of(texts), texts), self.template), texts[0])


def roles_of(texts: Sequence[str]) -> list[str]:
    """Whose each text is."""
    return [ASSISTANT if (len(texts) - place) % 2 else USER for place in range(len(texts))]
