"""How a conversation is written for a model that reads text: before the words of each turn stands a header of its role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lmlab.examples import Conversation, Turn
from lmlab.types import Mistake

USER, ASSISTANT = "user", "assistant"
"""Who asks and who replies."""


def check_template(template: Mapping[str, str]) -> None:
    """Refuses a template in which nobody asks or replies, or of whose turns a model could not tell whose they are."""
    for role in (USER, ASSISTANT):
        if role not in template:
            raise Mistake(f'data.template has no {role}; add the words before its text, such as {role}: "{role}: "')
    for role, header in template.items():
        if not isinstance(header, str) or not header.strip():
            raise Mistake(
                f"data.template.{role}={header} are no words that a model could know {role} by; "
                f'set it to some, such as "{role}: "'
            )
    headers = [header.strip() for header in template.values()]
    if len({*headers}) < len(headers):
        raise Mistake(f"data.template={dict(template)} has the same words for two roles; set them to different ones")


def conversation(turns: Iterable[tuple[str, str]], template: Mapping[str, str]) -> Conversation:
    """Of roles with what they say."""
    return Conversation(tuple(Turn(role, template[role], text) for role, text in turns))
