"""What the tokens of a source are: names by what binds them, each in its scope; sentences; sources that are no Python."""

import ast
import symtable
import sysconfig
from pathlib import Path

import pytest

from lmlab.data.python_words import parsed, python_sentences, python_words


def tags(source):
    """Word and tag of each token."""
    return [pair for one in python_sentences(source) for pair in zip(one.words, one.tags)]


def tag(source, word, number=0):
    """Of the occurrence of a word."""
    return [tag for text, tag in tags(source) if text == word][number]


@pytest.mark.parametrize(
    ("source", "word", "found"),
    [
        ("def f(x): return x", "x", ["parameter", "parameter"]),
        ("def f(x): return x", "f", ["function"]),
        ("class A(B): pass", "A", ["class"]),
        ("class A: pass\nA()", "A", ["class", "class"]),
        ("import os.path as p\np.join()", "p", ["import", "import"]),
        ("import os.path\nos.path.join()", "path", ["import", "attribute"]),
        ("import os.path\nos.path.join()", "join", ["method"]),
        ("from . import (a,\n  b)\nb", "b", ["import", "import"]),
        ("f(key=1)\n", "key", ["keyword_argument"]),
        ("def f(key): f(key=key)", "key", ["parameter", "keyword_argument", "parameter"]),
        ("x = 1\nprint(x)", "x", ["global", "global"]),
        ("x = 1\nprint(x)", "print", ["builtin"]),
        ("def print(): pass\nprint()", "print", ["function", "function"]),
        ("def f():\n  x = 1\n  return x", "x", ["variable", "variable"]),
        ("def f():\n  global x\n  x = 1", "x", ["global", "global"]),
        ("def f(x):\n  def g():\n    nonlocal x\n    x = 2\n  return g", "x", ["parameter", "parameter", "parameter"]),
        ("def f(x):\n  def g(): return x\n  return g()", "g", ["function", "function"]),
        ("x = 1\nclass A:\n  x = 2\n  def m(self): return x", "x", ["global", "variable", "global"]),
        ("y = [q for q in range(3) if q]", "q", ["variable", "variable", "variable"]),
        ("def f(q): return [q for q in q]", "q", ["parameter", "variable", "variable", "parameter"]),
        ("f = lambda k, *a: k + a", "k", ["parameter", "parameter"]),
        ("def f(x=x): pass", "x", ["parameter", "global"]),
        ("try: pass\nexcept E as e: e", "e", ["global", "global"]),
        ("def f():\n  try: pass\n  except E as e: e", "e", ["variable", "variable"]),
        ("a.b.c.d(e)", "c", ["attribute"]),
        ("(a.b)()", "b", ["method"]),
        ("x = None", "None", ["constant"]),
        ("async def f(): await g()", "await", ["keyword"]),
        ("match = 1\nmatch match:\n  case 1: match", "match", ["global", "keyword", "global", "global"]),
        ("match p:\n  case P(x=0, y=case): case", "case", ["keyword", "global", "global"]),
        ("match p:\n  case P(x=0): pass", "x", ["attribute"]),
        ("def f():\n  [y := 1 for _ in g()]\n  return y", "y", ["variable", "variable"]),
        ("ä.ö(ü=é)", "ö", ["method"]),
    ],
)
def test_what_a_name_stands_for(source, word, found):
    assert [tag for text, tag in tags(source) if text == word] == found


def test_strings_numbers_and_comments():
    source = '"""Doc of it."""\nx = "a b"  # note\ndef f():\n  "Doc."\n  return 1.5\n'
    assert tag(source, '"""Doc') == "docstring"
    assert tag(source, '"a') == "string"
    assert tag(source, "#") == "comment"
    assert tag(source, '"Doc."') == "docstring"
    assert tag(source, "1.5") == "number"
    assert tag(source, "=") == "operator"


def test_functions_and_statements_are_sentences_and_comments_go_with_what_follows():
    source = (
        "import a\n# of f\n@d\ndef f():\n  x = 1\n  return x\nclass A:\n  y = 1  # of y\n\n  def m(self): pass\nz = 2\n"
    )
    found = [" ".join(one.words) for one in python_sentences(source)]
    assert found == [
        "import a",
        "# @ d def f ( ) : x = 1 return x",
        "class A :",
        "y = 1 #",
        "def m ( self ) : pass",
        "z = 2",
    ]


def test_no_token_is_lost_or_said_twice():
    path = Path(sysconfig.get_path("stdlib")) / "textwrap.py"
    source = path.read_text()
    words = [word for one in python_sentences(source) for word in one.words]
    assert words == [word.text for word in python_words(source)]


@pytest.mark.parametrize("module", ["textwrap", "argparse", "functools", "dataclasses"])
def test_parameters_are_those_of_symtable(module):
    """Names of the outermost functions, in all of which no name is bound anew by an inner scope."""
    source = (Path(sysconfig.get_path("stdlib")) / f"{module}.py").read_text()
    tables = {(one.get_name(), one.get_lineno()): one for one in _tables(symtable.symtable(source, module, "exec"))}
    checked = 0
    for node in ast.walk(ast.parse(source)):
        inner = [one for one in ast.walk(node) if isinstance(one, SCOPES) and one is not node]
        if not isinstance(node, ast.FunctionDef) or inner or node.decorator_list:
            continue
        table = tables[node.name, node.lineno]
        own = ast.get_source_segment(source, node)
        for text, found in tags(own + "\n"):
            if found in ("parameter", "variable"):
                assert (table.lookup(text).is_parameter()) == (found == "parameter"), (node.name, text)
                checked += 1
    assert checked > 50


SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def _tables(table):
    yield table
    for child in table.get_children():
        yield from _tables(child)


def test_what_is_no_python_has_words_up_to_the_mistake():
    assert parsed("def f(x: return") is None
    assert [*python_sentences("def f(x: return")] == []
    assert [word.text for word in python_words("def f(x: return 'a b'")] == ["def", "f", "(", "x", ":", "return", "'a"]
