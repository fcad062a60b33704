"""Text -> its words: what stands between blanks or matches a pattern, Chinese cut into words, neighbours joined to phrases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

from lmlab.tokenizer.chunks import chunks
from lmlab.tokenizer.jieba_words import jieba_words
from lmlab.tokenizer.words import HAN, SPACE
from lmlab.types import Mistake

Chinese = Literal["characters", "segmented", "jieba"]

Phrases = dict[tuple[str, str], str]
"""Two words -> the token that they are together."""

WORDS = "words.json"
"""Beside a tokenizer.json whose words the `tokenizers` library cannot find."""

CHARACTERS = 2**20
"""Least size of what is read at a time."""

LINE = re.compile(r"(?<=\n)")
RUN = re.compile(f"[^{SPACE}]+")
ONE_HAN = re.compile(f"[{HAN}]")
APART = re.compile(rf"[{HAN}]|[^{HAN}]+")


@dataclass(frozen=True, kw_only=True)
class WordReader:
    """How words are found, line by line; `"\\n"` stands for the end of a line.

    Args:
        pattern: What a word is; all else separates. None: whatever is no white space.
        chinese: What becomes of a word with Han characters.
        phrases: Of each pass, over what the passes before have made.
    """

    lowercase: bool = False
    pattern: str | None = None
    chinese: Chinese = "characters"
    phrases: tuple[Phrases, ...] = ()

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise Mistake(
                f"tokenizer.pattern={self.pattern} is no regular expression ({error}); "
                "set tokenizer.pattern to one, such as [a-z']+, or to null"
            ) from None

    def words(self, text: str) -> Iterator[list[str]]:
        """All words of a text, of some lines at a time, so that a long text is held once and not in words as well."""
        return map(self._words, chunks(text, CHARACTERS, at=LINE))

    def _words(self, text: str) -> list[str]:
        find = _finder(self.pattern)
        words: list[str] = []
        for line in (text.lower() if self.lowercase else text).split("\n"):
            found = find(line)
            if not line.isascii() and self.chinese != "segmented" and ONE_HAN.search(line):
                found = [part for word in found for part in self._cut(word)]
            words += found
            words.append("\n")
        words.pop()
        for phrases in self.phrases:
            words = _joined(words, phrases)
        return words

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where each of the words begins and ends in the text, in characters."""
        read, index = text, list(range(len(text) + 1))
        if self.lowercase:
            read = text.lower()
            index = [place for place, letter in enumerate(text) for _ in letter.lower()] + [len(text)]
        found = [(start, end) for start, end in self._places(read)]
        words = [read[start:end] for start, end in found]
        for phrases in self.phrases:
            joined, place = [], 0
            merged = _joined(words, phrases)
            for word in merged:
                last = place if word == words[place] else place + 1
                joined.append((found[place][0], found[last][1]))
                place = last + 1
            words, found = merged, joined
        return [(index[start], index[end - 1] + 1) for start, end in found]

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Of the words before phrases are joined."""
        pattern, start = RUN if self.pattern is None else re.compile(self.pattern), 0
        for line in text.split("\n"):
            for match in pattern.finditer(line):
                place, word = start + match.start(), match.group()
                is_cut = self.chinese != "segmented" and ONE_HAN.search(word)
                for part in self._cut(word) if is_cut else filter(None, [word]):
                    yield place, place + len(part)
                    place += len(part)
            start += len(line)
            if start < len(text):
                yield start, start + 1
            start += 1

    def _cut(self, word: str) -> list[str]:
        if self.chinese == "jieba":
            return jieba_words(word) if ONE_HAN.search(word) else [word]
        return APART.findall(word)

    def save(self, beside: Path) -> None:
        """In the folder of a tokenizer.json."""
        about = {"lowercase": self.lowercase, "pattern": self.pattern, "chinese": self.chinese}
        content = {**about, "phrases": [list(phrases.items()) for phrases in self.phrases]}
        beside.with_name(WORDS).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def beside(cls, path: Path) -> WordReader | None:
        """The one that `save` wrote; None where there is none."""
        file = path.with_name(WORDS)
        if not file.is_file():
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
        phrases = tuple({(first, second): token for (first, second), token in pairs} for pairs in content["phrases"])
        about = {name: content[name] for name in ("lowercase", "pattern", "chinese")}
        return cls(**about, phrases=phrases)


@cache
def _finder(pattern: str | None) -> Callable[[str], list[str]]:
    """A line -> its words; what matches no character is none."""
    if pattern is None:
        return RUN.findall
    compiled = re.compile(pattern)
    if compiled.groups:  # of which findall would return the inside
        return lambda line: [word for match in compiled.finditer(line) if (word := match.group())]
    return lambda line: list(filter(None, compiled.findall(line)))


def _joined(words: list[str], phrases: Phrases) -> list[str]:
    """Pairs become one word, greedily from left to right, as word2phrase does."""
    found = list(map(phrases.get, pairwise(words)))
    joined: list[str] = []
    start = 0
    for place, token in enumerate(found):
        if token is not None and place >= start:
            joined += words[start:place]
            joined.append(token)
            start = place + 2
    return joined + words[start:]
