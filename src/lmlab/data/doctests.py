"""Python sessions in the docstrings of the standard library as conversations: what is typed, and what Python replies.

Nothing is executed: the replies are those that the docstrings expect (`doctest`).
"""

from __future__ import annotations

import doctest
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property

from lmlab.data.portion import split_of
from lmlab.data.stdlib import Stdlib
from lmlab.data.template import ASSISTANT, USER, check_template, conversation
from lmlab.examples import Conversation
from lmlab.types import Mistake, Split


class Doctests:
    """Each docstring's session, divided by a hash of its qualified name; equal sessions stand once.

    Args:
        template: the words before a role's text, of `user` (who types) and `assistant` (Python).
        split: fractions of the sessions for validation and test.
        cache_dir: where the parsed text is kept.
    """

    example = Conversation

    def __init__(self, *, template: Mapping[str, str], split: Mapping[str, int | float], cache_dir: str | None) -> None:
        check_template(template)
        self._template, self._split = template, split
        self._stdlib = Stdlib(split=split, cache_dir=cache_dir)

    @property
    def roles(self) -> tuple[str, ...]:
        """Those that a turn may have."""
        return (USER, ASSISTANT)

    def fingerprint(self) -> str:
        content = [self._sessions, dict(self._template), sorted(self._split.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Conversation]:
        found = [turns for name, turns in self._sessions.items() if split_of(name, self._split) == split]
        if not found and (split == "train" or self._split.get(split)):
            raise Mistake(f"data.split={dict(self._split)} leaves no session for {split}; set other fractions")
        for turns in found:
            yield conversation(turns, self._template)

    @cached_property
    def _sessions(self) -> dict[str, list[tuple[str, str]]]:
        """Roles and texts by name, the first name of equal ones."""
        found: dict[str, list[tuple[str, str]]] = {}
        known: set[tuple[tuple[str, str], ...]] = set()
        for document in self._stdlib.documents:
            turns = session(document.text)
            if turns and tuple(turns) not in known:
                known.add(tuple(turns))
                found[document.name] = turns
        return found


def session(text: str) -> list[tuple[str, str]]:
    """What is typed up to each output, without its prompts, and that output; none where there is none, or they are faulty."""
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:  # such as a prompt without a blank behind it
        return []
    turns: list[tuple[str, str]] = []
    typed = ""
    for example in examples:
        typed += example.source
        if reply := example.want.strip("\n"):
            turns += [(USER, typed.strip("\n")), (ASSISTANT, reply)]
            typed = ""
    return turns
