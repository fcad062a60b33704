"""What the names of a Python source stand for, by its syntax tree: whose scope binds them, and how."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

Place = tuple[int, int]
"""Line from 1 and column from 0, in bytes of UTF-8, as `ast` counts them."""

BUILTINS = frozenset(dir(builtins))

KINDS = ("parameter", "function", "class", "import", "variable")
"""How a scope binds a name; where it does so in several ways, the first of these counts."""


@dataclass
class Scope:
    """A module, class, function or comprehension, and the names that it binds."""

    outer: Scope | None
    is_class: bool = False
    is_module: bool = False
    bound: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Names that a statement takes from another scope: `global` or `nonlocal`."""

    def bind(self, name: str, kind: str) -> None:
        if (target := self.elsewhere.get(name)) is not None:
            scope = self.module if target == "global" else self.enclosing(name)
            if scope is not None and scope is not self:
                scope.bind(name, kind)
            return
        before = self.bound.get(name, kind)
        self.bound[name] = min(before, kind, key=KINDS.index)

    @property
    def module(self) -> Scope:
        return self if self.outer is None else self.outer.module

    def enclosing(self, name: str) -> Scope | None:
        """The function around that binds a name."""
        scope = self.outer
        while scope is not None and not scope.is_module:
            if not scope.is_class and name in scope.bound:
                return scope
            scope = scope.outer
        return None

    def kind(self, name: str) -> str:
        """What a name stands for where it is used in this scope: one of KINDS, `global` for a module's variable, `builtin`."""
        scope: Scope | None = self
        if self.elsewhere.get(name) == "global":
            scope = self.module
        while scope is not None:
            if name in scope.bound and (scope is self or not scope.is_class):
                kind = scope.bound[name]
                return "global" if scope.is_module and kind == "variable" else kind
            scope = scope.outer
        return "builtin" if name in BUILTINS else "global"


class Names(ast.NodeVisitor):
    """Of a module: what each name stands for, by its place.

    Args:
        tree: of the whole source.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.scope = Scope(None, is_module=True)
        self.uses: list[tuple[Place, str, Scope]] = []
        """Names that stand for something bound, once all is known."""
        self.fixed: dict[Place, str] = {}
        """What a name is by its place in the syntax: an argument's keyword, a parameter."""
        self.ends: dict[Place, str] = {}
        """Attributes and methods, by where they end."""
        self.docstrings: set[Place] = set()
        self.soft: set[Place] = set()
        """Where `match` and `type` are keywords; `case` stands at the head of a line: `case_lines`."""
        self.case_lines: set[int] = set()
        self.patterns: set[Place] = set()
        """Where patterns of attributes start: in `case Point(x=0)` that of x."""
        self.imports: list[tuple[Place, Place]] = []
        """Start and end of the statements, in order."""
        self.regions: list[tuple[Place, Place, Scope]] = [((0, 0), (2**31, 0), self.scope)]
        """Start, end and scope, outer ones before inner ones."""
        self._body(tree, self.scope)

    def roles(self) -> dict[Place, str]:
        """Of the names that nodes of the tree stand for, by where they start."""
        return {**{place: scope.kind(name) for place, name, scope in self.uses}, **self.fixed}

    def kind_at(self, place: Place, name: str) -> str:
        """Of a name that no node stands for, such as that behind `as` in `except`."""
        inner = [scope for start, end, scope in self.regions if start <= place < end][-1]
        return inner.kind(name)

    # Scopes.

    def _body(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        if (
            node.body
            and isinstance(first := node.body[0], ast.Expr)
            and ast.get_docstring(node, clean=False) is not None
        ):
            self.docstrings.add(_start(first.value))
        before, self.scope = self.scope, scope
        for found in _own(node.body):
            if isinstance(found, ast.Global | ast.Nonlocal):
                kind = "global" if isinstance(found, ast.Global) else "nonlocal"
                scope.elsewhere.update(dict.fromkeys(found.names, kind))
        for statement in node.body:
            self._bind_all(statement, scope)
        for statement in node.body:
            self.visit(statement)
        self.scope = before

    def _bind_all(self, statement: ast.stmt, scope: Scope) -> None:
        """What a statement of a scope binds there, before any use is looked up."""
        for node in _own([statement]):
            for name, kind in _bindings(node):
                scope.bind(name, kind)

    def _enter(self, node: ast.AST, *, is_class: bool = False) -> Scope:
        scope = Scope(self.scope, is_class=is_class)
        self.regions.append((_start(node), _end(node), scope))
        return scope

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *_outside(node.args), *([node.returns] if node.returns else [])):
            self.visit(part)
        scope = self._enter(node)
        self._parameters(node.args, scope)
        self._body(node, scope)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for part in _outside(node.args):
            self.visit(part)
        scope = self._enter(node)
        self._parameters(node.args, scope)
        before, self.scope = self.scope, scope
        self.visit(node.body)
        self.scope = before

    def _parameters(self, arguments: ast.arguments, scope: Scope) -> None:
        for one in _arguments(arguments):
            scope.bind(one.arg, "parameter")
            self.fixed[one.lineno, one.col_offset] = "parameter"

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self._body(node, self._enter(node, is_class=True))

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.visit(node.generators[0].iter)
        before, self.scope = self.scope, self._enter(node)
        for one in node.generators:
            for part in ast.walk(one.target):
                if isinstance(part, ast.Name):
                    self.scope.bind(part.id, "variable")
        for number, one in enumerate(node.generators):
            for part in (one.target, *([one.iter] if number else []), *one.ifs):
                self.visit(part)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self.scope = before

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    # Names.

    def visit_Name(self, node: ast.Name) -> None:
        self.uses.append((_start(node), node.id, self.scope))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.ends.setdefault(_end(node), "attribute")
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            self.ends[_end(node.func)] = "method"
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self.fixed[node.lineno, node.col_offset] = "keyword_argument"
        self.visit(node.value)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.imports.append((_start(node), _end(node)))

    visit_ImportFrom = visit_Import

    def visit_Match(self, node: ast.Match) -> None:
        self.soft.add(_start(node))
        self.case_lines.update(case.pattern.lineno for case in node.cases)
        self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        self.patterns.update(map(_start, node.kwd_patterns))
        self.generic_visit(node)


def _start(node: ast.AST) -> Place:
    return getattr(node, "lineno"), getattr(node, "col_offset")  # noqa: B009 - not every node has them; those given do


def _end(node: ast.AST) -> Place:
    return getattr(node, "end_lineno"), getattr(node, "end_col_offset")  # noqa: B009


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return found + [one for one in (arguments.vararg, arguments.kwarg) if one is not None]


def _outside(arguments: ast.arguments) -> Iterator[ast.expr]:
    """Defaults and annotations: they are evaluated in the scope around."""
    yield from arguments.defaults
    yield from (one for one in arguments.kw_defaults if one is not None)
    yield from (one.annotation for one in _arguments(arguments) if one.annotation is not None)


def _own(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes that are of the scope of some statements: not the insides of functions and classes."""
    waiting: list[ast.AST] = [*statements]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, *_outside(node.args)]
        elif isinstance(node, ast.Lambda):
            waiting += _outside(node.args)
        elif isinstance(node, ast.ClassDef):
            waiting += [*node.decorator_list, *node.bases, *node.keywords]
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            waiting += [one for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]  # they bind outside
        else:
            waiting += ast.iter_child_nodes(node)


def _bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, "function"
        case ast.ClassDef():
            yield node.name, "class"
        case ast.Import() | ast.ImportFrom():
            yield from (((one.asname or one.name).partition(".")[0], "import") for one in node.names)
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id, "variable"
        case (
            ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name)
        ):
            yield name, "variable"
        case ast.MatchMapping(rest=str() as name):
            yield name, "variable"
