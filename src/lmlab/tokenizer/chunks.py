"""Cuts of long texts that change no token, so that one document is encoded in parallel and in linear memory.

A cut stands before a blank or newline that follows a character which is not white space. No tokenizer here has a token
across such a place (a word may begin with its blank, GPT-2's way, but none ends with one), so the ids of the chunks,
one after another, are the ids of the text: the size of the chunks is no part of the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

CHARACTERS = 2048
"""Least size of a chunk."""

CUT = re.compile(r"(?<=\S)[ \n]")

BLANK = re.compile(r"(?<=\S) ")
"""Where tokenizers from elsewhere have no token across: some of them (Llama 3's) take a full stop with the newlines behind it."""


def chunks(text: str, size: int = CHARACTERS, at: re.Pattern[str] = CUT) -> Iterator[str]:
    """Parts of at least `size` characters that make up the text; the last may be shorter."""
    start = 0
    while start < len(text):
        cut = at.search(text, start + size)
        end = cut.start() if cut else len(text)
        yield text[start:end]
        start = end
