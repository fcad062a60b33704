"""Which tokens begin a word, as the tokenizer spells them: GPT-2's words, BERT's, SentencePiece's, single Han characters."""

from __future__ import annotations

import json
import re

import numpy as np

from lmlab.tokenizer.byte_level import alphabet
from lmlab.tokenizer.trained import Trained
from lmlab.tokenizer.words import HAN
from lmlab.types import MASK, Pieces

JOINED, LETTER, DIGIT, SPACE, OTHER = range(-1, 4)
"""Scripts of characters: a word is a run of one of them with the blank before it, which is JOINED, as GPT-2 cuts text."""

META = "\u2581"
"""SentencePiece's blank."""

ONE_HAN = re.compile(f"[{HAN}]")

HAN_BYTES = frozenset((*range(0xE3, 0xEA), 0xEF, 0xF0))
"""With which their UTF-8 begins."""


def with_mask(tokenizer: Trained) -> Trained:
    """The same with a `<mask>`, unless it has one."""
    return tokenizer if tokenizer.mask is not None else tokenizer.with_special([MASK])


NUM_SENTINELS = 100
"""Of T5."""


def sentinels(tokenizer: Trained) -> tuple[int, ...]:
    """`<extra_id_0>`, `<extra_id_1>` ... of a tokenizer that has them."""
    named = {tokenizer.token(index): index for index in tokenizer.special}
    found = (named.get(f"<extra_id_{number}>") for number in range(NUM_SENTINELS))
    return tuple(index for index in found if index is not None)


def with_sentinels(tokenizer: Trained) -> Trained:
    """The same with `<extra_id_0>` ... `<extra_id_99>`, unless it has them."""
    if sentinels(tokenizer):
        return tokenizer
    return tokenizer.with_special([f"<extra_id_{number}>" for number in range(NUM_SENTINELS)])


def pieces(tokenizer: Trained, marks: tuple[int, ...]) -> Pieces:
    """Of a tokenizer that has the marks."""
    number = tokenizer.vocab_size
    spelled = _Spelling(tokenizer)
    special = np.zeros(number, bool)
    special[sorted(tokenizer.special | {*marks})] = True
    starts, first, last = np.ones(number, bool), np.zeros(number, np.int8), np.zeros(number, np.int8)
    for index in np.flatnonzero(~special).tolist():
        starts[index] = spelled.starts(index)
        if not spelled.is_whole:
            text = spelled.text(index)
            first[index], last[index] = _script(text[:1]), JOINED if text == " " else _script(text[-1:])
    return Pieces(tokenizer.eos, marks, special, starts, first, last)


def holds_blank(tokenizer: Trained) -> bool:
    """Whether words begin with the blank before them, so that a hidden word hides it as well."""
    spelled = _Spelling(tokenizer)
    return not spelled.is_whole and any(
        len(text) > 1 and text[0] == " " and text[1] != " "
        for text in (spelled.text(index) for index in range(tokenizer.vocab_size) if index not in tokenizer.special)
    )


class _Spelling:
    """How a vocabulary spells text."""

    def __init__(self, tokenizer: Trained) -> None:
        about = json.loads(tokenizer.to_json())
        self._tokenizer = tokenizer
        self._continues = about["model"].get("continuing_subword_prefix") or None
        self._bytes = {one: byte for byte, one in enumerate(alphabet())} if "ByteLevel" in _types(about) else {}
        self.is_whole = about["model"]["type"] in ("WordLevel", "WordPiece")
        """Whether a token that says nothing else is a word."""

    def text(self, index: int) -> str:
        """What it stands for, with U+FFFD for a part of a character."""
        content = self._content(index)
        return content if isinstance(content, str) else content.decode(errors="replace")

    def _content(self, index: int) -> str | bytes:
        token = self._tokenizer.token(index)
        if self._bytes and all(one in self._bytes for one in token):
            return bytes(self._bytes[one] for one in token)
        return token.replace(META, " ")

    def starts(self, index: int) -> bool:
        if self.is_whole:
            return not (self._continues and self._tokenizer.token(index).startswith(self._continues))
        text, content = self.text(index), self._content(index)
        is_part = isinstance(content, bytes) and text[:1] == "\ufffd" and content[0] in HAN_BYTES
        return text[:1] == " " or is_part or bool(ONE_HAN.match(text))


def _types(node: object) -> set[str]:
    """The kinds of all parts of a tokenizer.json but its vocabulary."""
    if isinstance(node, dict):
        own = {str(node["type"])} if "type" in node else set()
        below = [value for key, value in node.items() if key not in ("vocab", "merges")]
        return own | _types(below)
    return {one for child in node for one in _types(child)} if isinstance(node, list) else set()


def _script(character: str) -> int:
    if not character or character == "\ufffd" or character.isalpha():
        return LETTER
    if character.isnumeric():
        return DIGIT
    return SPACE if character.isspace() else OTHER
