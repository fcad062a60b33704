"""The text that every Python carries: the language reference (`pydoc_data.topics`) and the docstrings of its library.

The library's sources are read by `ast`; nothing is imported or executed. The text differs between Python versions, so
figures on it name the Python and the fingerprint.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import logging
import multiprocessing
import os
import platform
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from lmlab.data.cache import cache_folder, write_whole
from lmlab.data.portion import check_fractions, split_of
from lmlab.types import Mistake, Split, Text

logger = logging.getLogger(__name__)

VERSION = 1
"""To be raised with every change of what is read, so that an older cached text is not taken for it."""

MIN_CHARACTERS = 32
"""A shorter docstring ("Return self.") says less than its name."""

SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}


@dataclass(frozen=True)
class Document:
    """One docstring or topic, with where it comes from."""

    name: str
    """Qualified: `json.decoder.JSONDecoder.decode`, or `topics.lambda`."""
    module: str
    kind: str
    """`module`, `class`, `function` or `topic`."""
    text: str


class Stdlib:
    """Documents of the running Python's standard library, divided by a hash of their qualified names."""

    example = Text

    def __init__(self, *, split: Mapping[str, int | float], cache_dir: str | None) -> None:
        check_fractions(split)
        self._split = split
        self._cache = cache_folder(cache_dir) / "stdlib"
        self._root = Path(sysconfig.get_path("stdlib"))

    def fingerprint(self) -> str:
        content = [self.documents, sorted(self._split.items())]
        return hashlib.sha256(json.dumps(content, default=asdict).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Text]:
        for document in self.documents:
            if split_of(document.name, self._split) == split:
                yield Text(document.text)

    @cached_property
    def documents(self) -> list[Document]:
        """All documents, sorted by name, no text twice; parsed once on a machine, then read from the cache."""
        sources = library_sources(self._root)
        path = self._cache / f"{sources_key(self._root, sources)}.json"
        try:
            return [Document(*row) for row in json.loads(path.read_bytes())]
        except (OSError, ValueError, TypeError):  # not there yet, or damaged
            documents = _parse(self._root, sources)
        rows = [[row.name, row.module, row.kind, row.text] for row in documents]
        try:
            write_whole(path, json.dumps(rows).encode())
        except OSError as error:
            logger.warning("cannot keep the parsed standard library (%s); set LMLAB_CACHE to a writable folder", error)
        return documents


def library_sources(root: Path) -> list[Path]:
    """The library's Python files without tests and installed packages, sorted."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in SKIPPED and not name.startswith("config-")]
        found += [Path(folder, file) for file in files if file.endswith(".py")]
    return sorted(found)


def sources_key(root: Path, sources: list[Path]) -> str:
    """Changes with the Python, its files and this module's version."""
    state = [VERSION, platform.python_version(), str(root)]
    for path in sources:
        stat = path.stat()
        state.append(f"{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]


def _parse(root: Path, sources: list[Path]) -> list[Document]:
    """Read topics and docstrings; of equal texts, the first by name stays."""
    topics = root / "pydoc_data" / "topics.py"
    found = _all_docstrings([(path, module_name(root, path)) for path in sources if path != topics])
    if topics.exists():  # some distributions leave it out
        found += _topics(topics)
    if not found:
        raise Mistake(f"this Python has no library sources under {root}; use another text: data=text data.path=...")
    first: dict[str, Document] = {}
    for document in sorted(found, key=lambda document: (document.name, document.text)):
        if len(document.text) >= MIN_CHARACTERS:
            first.setdefault(document.text, document)
    return list(first.values())


def _all_docstrings(files: list[tuple[Path, str]]) -> list[Document]:
    """Of all files, in their order; on Linux by several processes, since parsing is most of a first start."""
    cores = min(4, len(os.sched_getaffinity(0))) if sys.platform == "linux" else 1
    if cores == 1:
        return [document for path, module in files for document in _docstrings(path, module)]
    with multiprocessing.get_context("fork").Pool(cores) as pool:
        found = pool.starmap(_docstring_list, files, chunksize=40)
    return [document for documents in found for document in documents]


def _docstring_list(path: Path, module: str) -> list[Document]:
    return list(_docstrings(path, module))


def module_name(root: Path, path: Path) -> str:
    """As one imports it: `json.decoder`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _tree(path: Path) -> ast.Module | None:
    """The syntax tree, or None where the file is not Python of this version (templates, encodings)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "invalid escape sequence" in the library's own sources
        try:
            return ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return None


def _docstrings(path: Path, module: str) -> Iterator[Document]:
    source = path.read_bytes()
    tree = _tree(path) if b'"""' in source or b"'''" in source else None
    if tree is not None:
        yield from _walk(tree, module, module, "module")


def _walk(node: ast.AST, name: str, module: str, kind: str) -> Iterator[Document]:
    """Docstrings of a module, its classes and functions, also of those defined under an `if` or `try`."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        docstring = ast.get_docstring(node)  # cleaned of its indentation
        if docstring:
            yield Document(name, module, kind, docstring)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _walk(child, f"{name}.{child.name}", module, "class")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _walk(child, f"{name}.{child.name}", module, "function")
        elif isinstance(child, ast.If | ast.Try | ast.ExceptHandler | ast.With):
            yield from _walk(child, name, module, kind)


def _topics(path: Path) -> Iterator[Document]:
    """The chapters of the language reference, a literal dictionary of name and text."""
    tree = _tree(path)
    for node in tree.body if tree else []:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            for topic, text in ast.literal_eval(node.value).items():
                yield Document(f"topics.{topic}", "topics", "topic", inspect.cleandoc(text))
