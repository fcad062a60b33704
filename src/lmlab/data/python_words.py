"""A Python source as words with tags, by `tokenize` and `ast`: what each token is, and of a name what it stands for."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from lmlab.data.python_names import Names, Place
from lmlab.examples import Tagged

BLANK = frozenset(
    {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
)

SYMBOLS = {tokenize.OP: "operator", tokenize.NUMBER: "number", tokenize.COMMENT: "comment"}
"""What is neither a name nor one of these is a string, or a part of one."""

CONSTANTS = ("None", "True", "False")

LONGEST = 24
"""Characters of a word: of a string or comment there is the start, up to the first white space."""


class Word(NamedTuple):
    """A token as a word of a sentence."""

    text: str
    type: int
    """Of `tokenize`."""
    place: Place
    end: Place


def python_words(source: str) -> list[Word]:
    """The tokens of a source; of one that is no Python, those before the mistake."""
    lines, found = source.split("\n"), list[Word]()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            text = " ".join(token.string.split()).partition(" ")[0]
            if token.type not in BLANK and text:
                short = text if token.type == tokenize.NAME else text[:LONGEST]
                found.append(Word(short, token.type, _in_bytes(lines, token.start), _in_bytes(lines, token.end)))
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def _in_bytes(lines: list[str], place: Place) -> Place:
    """A column in characters, as `tokenize` counts, as one in bytes, as `ast` does."""
    line, column = place
    text = lines[line - 1] if line <= len(lines) else ""
    return (line, column) if text.isascii() else (line, len(text[:column].encode()))


def python_sentences(source: str) -> Iterator[Tagged]:
    """The functions and the other statements of a source one after another, each a sentence; nothing of what is no Python."""
    tree = parsed(source)
    if tree is None:
        return
    words, names = python_words(source), Names(tree)
    tags = [*_tags(words, names)]
    for first, end in _sentences(tree, words):
        yield Tagged(tuple(word.text for word in words[first:end]), tuple(tags[first:end]))


def parsed(source: str) -> ast.Module | None:
    """The syntax tree, or None where the source is not Python of this version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "invalid escape sequence"
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return None


def _sentences(tree: ast.Module, words: list[Word]) -> Iterator[tuple[int, int]]:
    """First word and end of each: comments stand with what follows them."""
    starts = sorted({_first_place(statement) for statement in _statements(tree.body)})
    first = 0
    for start in starts[1:]:
        end = first
        while end < len(words) and words[end].place < start:
            end += 1
        while end > first and words[end - 1].type == tokenize.COMMENT and _is_alone(words, end - 1):
            end -= 1
        if end > first:
            yield first, end
            first = end
    if first < len(words):
        yield first, len(words)


def _is_alone(words: list[Word], number: int) -> bool:
    """Whether a comment is the first word of its line."""
    return number == 0 or words[number - 1].end[0] < words[number].place[0]


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of a module and its classes: functions as a whole, of a class its head and its statements."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.ClassDef):
            yield from _statements(statement.body)


def _first_place(statement: ast.stmt) -> Place:
    """A definition begins with its first decorator, whose @ stands one place or more before it: at least in its line."""
    decorators = getattr(statement, "decorator_list", [])
    return (decorators[0].lineno, 0) if decorators else (statement.lineno, statement.col_offset)


def _tags(words: list[Word], names: Names) -> Iterator[str]:
    roles, imports = names.roles(), sorted(names.imports)
    before: Word | None = None
    of_patterns = {words[number - 2].place for number, word in enumerate(words) if word.place in names.patterns}
    roles.update(dict.fromkeys(of_patterns, "attribute"))
    for word in words:
        while imports and imports[0][1] <= word.place:
            imports.pop(0)
        if word.type != tokenize.NAME:
            yield _of_symbol(word, names)
        elif keyword.iskeyword(word.text) or _is_soft(word, before, names):
            yield "constant" if word.text in CONSTANTS else "keyword"
        elif imports and imports[0][0] <= word.place:
            yield "import"
        else:
            yield _of_name(word, before, names, roles)
        before = word


def _of_symbol(word: Word, names: Names) -> str:
    if word.type in SYMBOLS:
        return SYMBOLS[word.type]
    return "docstring" if word.place in names.docstrings else "string"


def _is_soft(word: Word, before: Word | None, names: Names) -> bool:
    """Whether it is a keyword here and a name elsewhere."""
    is_first = before is None or before.end[0] < word.place[0]
    return word.place in names.soft or (word.text == "case" and is_first and word.place[0] in names.case_lines)


def _of_name(word: Word, before: Word | None, names: Names, roles: dict[Place, str]) -> str:
    if (found := roles.get(word.place) or names.ends.get(word.end)) is not None:
        return found
    follows = {"def": "function", "class": "class", ".": "attribute"}
    return follows.get("" if before is None else before.text) or names.kind_at(word.place, word.text)
