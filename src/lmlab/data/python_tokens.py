"""The tokens of the standard library's sources, tagged by what they are: names by what binds them, which takes context.

Sources are read by `ast` and `tokenize`; nothing is imported or executed. They differ between Python versions, so figures on
them name the Python and the fingerprint.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import platform
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lmlab.data.cache import cache_folder, write_whole
from lmlab.data.portion import check_fractions, split_of
from lmlab.data.python_words import parsed, python_sentences, python_words
from lmlab.data.stdlib import library_sources, module_name, sources_key
from lmlab.examples import Tagged
from lmlab.types import Mistake, Split

log = logging.getLogger(__name__)

VERSION = 1
"""To be raised with every change of what is read, so that older cached sentences are not taken for it."""

Module = tuple[str, list[Tagged]]


class PythonTokens:
    """Functions and other statements of modules, each a sentence; a module stands in one split.

    Args:
        num_words: in all splits together; modules are taken in the order of a hash of their names until there are as many.
        split: fractions of the modules for validation and test, by another hash.
        cache_dir: where the sentences are kept.
    """

    example = Tagged

    def __init__(self, *, num_words: int, split: Mapping[str, int | float], cache_dir: str | None) -> None:
        check_fractions(split)
        if num_words < 1:
            raise Mistake(f"data.num_words={num_words} leaves nothing to read; set data.num_words to e.g. 300000")
        self._num_words, self._split = num_words, split
        self._cache = cache_folder(cache_dir) / "python_tokens"
        self._root = Path(sysconfig.get_path("stdlib"))

    def fingerprint(self) -> str:
        content = [[(name, _plain(sentences)) for name, sentences in self._modules], sorted(self._split.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Tagged]:
        is_any = False
        for name, sentences in self._modules:
            if split_of(name, self._split) == split:
                is_any |= bool(sentences)
                yield from sentences
        if not is_any and self._split.get(split, 1):  # train has no fraction
            raise Mistake(
                f"data.num_words={self._num_words} leaves no module for {split}; set data.num_words to e.g. 300000"
            )

    @staticmethod
    def sentences_of(text: str) -> list[tuple[str, ...]]:
        """The words of each sentence of a text; of one that is no whole Python, those of all of it as one."""
        source = text.replace("\r\n", "\n").replace("\r", "\n")
        if parsed(source) is not None:
            return [one.words for one in python_sentences(source)]
        words = tuple(word.text for word in python_words(source))
        return [words] if words else []

    @cached_property
    def _modules(self) -> list[Module]:
        """Tagged once on a machine, then read from the cache."""
        sources = library_sources(self._root)
        key = hashlib.sha256(json.dumps([VERSION, sources_key(self._root, sources), self._num_words]).encode())
        path = self._cache / f"{key.hexdigest()[:32]}.json"
        try:
            return [(name, [Tagged(tuple(words), tuple(tags)) for words, tags in rows]) for name, rows in _read(path)]
        except (OSError, ValueError, TypeError):  # not there yet, or damaged
            modules = self._tagged(sources)
        try:
            write_whole(path, json.dumps([(name, _plain(sentences)) for name, sentences in modules]).encode())
        except OSError as error:
            log.warning("cannot keep the tagged standard library (%s); set LMLAB_CACHE to a writable folder", error)
        return modules

    def _tagged(self, sources: Sequence[Path]) -> list[Module]:
        named = sorted(((module_name(self._root, path), path) for path in sources), key=lambda one: _place(one[0]))
        modules, num_words = [], 0
        for name, path in named:
            if num_words >= self._num_words:
                break
            sentences = [*python_sentences(_source(path))]
            num_words += sum(len(one.words) for one in sentences)
            modules.append((name, sentences))
        if not num_words:
            raise Mistake(
                f"this Python {platform.python_version()} has no library sources under {self._root}; use tagged sentences of "
                "your own: data=columns data.path=..."
            )
        return modules


def _plain(sentences: Sequence[Tagged]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(one.words, one.tags) for one in sentences]


def _read(path: Path) -> list[tuple[str, list[tuple[list[str], list[str]]]]]:
    found: list[tuple[str, list[tuple[list[str], list[str]]]]] = json.loads(path.read_bytes())
    return found


def _place(name: str) -> bytes:
    """Of a module in the order in which they are taken."""
    return hashlib.sha256(f"order {name}".encode()).digest()


def _source(path: Path) -> str:
    """In the encoding that it names; empty where it is none."""
    content = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding).removeprefix("\ufeff")
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return ""
    return text.replace("\r\n", "\n").replace("\r", "\n")
