"""Questions about a Python function that its first lines answer, with the exact place of each answer, by `ast`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from lmlab.data.python_words import parsed
from lmlab.examples import Answer

AFTER = re.compile(r"[\s,/*]*\)?\s*:")
"""What stands between the last part of a signature and the body."""

FOLD = re.compile(r"[ \t]*\n\s*")
"""A line's end within a signature, which becomes a blank."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Asked:
    """What can be asked about a function."""

    name: str
    """Qualified within its module, with its line."""
    context: str
    """Its signature in one line, and in a second one the first paragraph of its docstring, if any."""
    questions: tuple[tuple[str, Answer | None], ...]
    """With the answer; None where the context has none."""


def asked(source: str) -> Iterator[Asked]:
    """Of every function of a module, its methods and inner functions; of a source that is no Python, nothing."""
    tree = parsed(source)
    if tree is None:
        return
    text = _Lines(source)
    for name, function in _functions(tree, ""):
        if (found := _Signature.of(function, text)) is not None:
            questions = tuple(found.questions())
            yield Asked(f"{name}:{function.lineno}", found.context(), questions)


def _functions(node: ast.AST, inside: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            name = f"{inside}.{child.name}" if inside else child.name
            if isinstance(child, Function):
                yield name, child
            yield from _functions(child, name)
        else:
            yield from _functions(child, inside)


class _Lines:
    """A source of which places are known as `ast` has them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.split("\n")
        self.starts = [0, *accumulate(len(line) + 1 for line in self.lines)]

    def place(self, line: int, column: int) -> int:
        """In characters of the source, of a line from 1 and a column in bytes."""
        inside = self.lines[line - 1]
        return self.starts[line - 1] + (column if inside.isascii() else len(inside.encode()[:column].decode()))


@dataclass(frozen=True)
class _Signature:
    """A function with its text from `def` to the colon."""

    function: Function
    text: str
    """As the source has it."""
    whole: _Lines

    @classmethod
    def of(cls, function: Function, whole: _Lines) -> _Signature | None:
        """None where it has a comment, or a string of several lines, which one line cannot have."""
        text, begin = whole.source, whole.place(function.lineno, function.col_offset)
        body = function.body[0]
        first = min([body.lineno, *(one.lineno for one in getattr(body, "decorator_list", []))])
        column = body.col_offset if first == body.lineno else 0
        parts = [*_parts(function)]
        last = max((whole.place(one.end_lineno or 0, one.end_col_offset or 0) for one in parts), default=None)
        if last is None:
            opened = text.index("(", begin)
            last = opened + 1
        if (end := AFTER.match(text, last)) is None or end.end() > whole.place(first, column):
            return None
        found = text[begin : end.end()]
        has_lines = any(
            isinstance(one, ast.Constant | ast.JoinedStr) and one.lineno != one.end_lineno
            for part in parts
            for one in ast.walk(part)
        )
        is_plain = "#" not in found and "\\\n" not in found and "\f" not in found and not has_lines
        return cls(function, found, whole) if is_plain else None

    def context(self) -> str:
        paragraph = inspect.cleandoc(ast.get_docstring(self.function) or "").split("\n\n")[0]
        return "\n".join(filter(None, [FOLD.sub(" ", self.text), " ".join(paragraph.split())]))

    def questions(self) -> Iterator[tuple[str, Answer | None]]:
        """In one order; of annotations only where the function has one."""
        arguments = self.function.args
        plain = [*arguments.posonlyargs, *arguments.args]
        defaults: dict[ast.arg, ast.expr | None] = dict(
            zip(plain, [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults])
        )
        defaults |= dict(zip(arguments.kwonlyargs, arguments.kw_defaults))
        ordered = [*plain, *filter(None, [arguments.vararg]), *arguments.kwonlyargs, *filter(None, [arguments.kwarg])]
        is_annotated = self.function.returns is not None or any(one.annotation for one in ordered)
        name = self.function.name
        yield "name of the function", self._at(self.text.index(name, self.text.index("def") + len("def")), name)
        yield "first parameter", self._name(ordered[0] if ordered else None)
        yield "last parameter", self._name(ordered[-1] if ordered else None)
        if is_annotated:
            yield "type of the result", self._node(self.function.returns)
        for number, one in enumerate(ordered):
            yield f"default of {one.arg}", self._node(defaults.get(one))
            if is_annotated:
                yield f"annotation of {one.arg}", self._node(one.annotation)
            behind = ordered[number + 1] if number + 1 < len(ordered) else None
            yield f"parameter after {one.arg}", self._name(behind)

    def _name(self, one: ast.arg | None) -> Answer | None:
        return None if one is None else self._at(self._inside(one), one.arg)

    def _node(self, node: ast.expr | None) -> Answer | None:
        if node is None:
            return None
        start = self._inside(node)
        end = self.whole.place(node.end_lineno or 0, node.end_col_offset or 0) - self._begin()
        return self._at(start, self.text[start:end])

    def _at(self, start: int, text: str) -> Answer:
        """What stands at a place of the text, as the folded text has it."""
        return Answer(FOLD.sub(" ", text), len(FOLD.sub(" ", self.text[:start] + "|")) - 1)

    def _inside(self, node: ast.arg | ast.expr) -> int:
        return self.whole.place(node.lineno, node.col_offset) - self._begin()

    def _begin(self) -> int:
        return self.whole.place(self.function.lineno, self.function.col_offset)


def _parts(function: Function) -> Iterator[ast.expr | ast.arg]:
    """Of a signature, whatever has a place."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    yield from (one for one in every if one is not None)
    yield from (one for one in [*arguments.defaults, *arguments.kw_defaults, function.returns] if one is not None)
