"""The rows of a table file: of each the columns that were asked for, or what is wrong with it.

Lines end at "\\n" or "\\r\\n" alone: str.splitlines() also splits within a text, at U+0085 and U+2028.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lmlab.data.characters import check_characters, whole_text
from lmlab.data.form import Column, Form
from lmlab.data.found import Fault
from lmlab.types import Mistake

LARGEST_FIELD = 2**31 - 1

QUOTING_FAULTS = {
    "expected after": "has something between a closing quote and the separator",
    "unexpected end": "opens a quote that is never closed",
    "new-line character": "has a carriage return outside of quotes",
}
"""The csv module's words -> ours."""

Line = tuple[int, list[str] | Fault]


def read_rows(
    path: Path, form: Form, columns: Sequence[tuple[str, Column]], *, encoding: str, skip: bool
) -> Iterator[tuple[int, list[Any] | Fault]]:
    """Line numbers from 1, and the values of the columns, which are given with their keys: text, or in JSON anything."""
    text = whole_text(path, encoding, skip=skip, holds="rows")
    format = form.format_of(path)
    if format == "jsonl":
        if _is_one_list(text):
            raise Mistake(f"{path} is one list in JSON; write every object of it as a line of its own, without commas")
        yield from _objects(text, columns)
        return
    separator = form.separator_of(format)
    lines = _quoted(text, separator, form.key) if form.quoted(format) else _plain(text, separator, form.columns)
    empty = True
    for line, row in _picked(path, form, columns, lines):
        empty = False
        yield line, row
    if empty:
        raise Mistake(f"{path} has a header and no rows; give a file with rows, or set {form.key}.header=false")


def _is_one_list(text: str) -> bool:
    """Whether all of the file is a list of objects, as JSON is written where it is not one object a line."""
    start, end = text[:64].split(), text[-64:].split()
    return bool(start and end) and "".join(start)[:2] in ("[", "[{") and end[-1].endswith("]")


def _objects(text: str, columns: Sequence[tuple[str, Column]]) -> Iterator[tuple[int, list[Any] | Fault]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, _values(line, columns)
            except Fault as fault:
                yield number, fault


def _values(line: str, columns: Sequence[tuple[str, Column]]) -> list[Any]:
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        reason = f"{error.msg.removesuffix(' at')} at column {error.colno}"
        raise Fault(f"is no JSON ({reason})", "write one JSON object a line") from None
    except RecursionError:
        raise Fault("is JSON of too many levels", "write one flat JSON object a line") from None
    if not isinstance(content, dict):
        raise Fault(f"is JSON, but no object with keys: {line[:20]}", "write one JSON object a line")
    for key, column in columns:
        if str(column) not in content:
            names = _nearest(str(column), list(content)) or f" (but {', '.join(list(content)[:5]) or 'nothing'})"
            raise Fault(f"has no {column}{names}", f"set {key}")
    return [content[str(column)] for _, column in columns]


def _plain(text: str, separator: str, columns: int | None) -> Iterator[Line]:
    """Rows in which a quote is a character."""
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.removesuffix("\r")
        if content.strip(" "):
            yield number, content.split(separator, -1 if columns is None else columns - 1)


def _quoted(text: str, separator: str, key: str) -> Iterator[Line]:
    """Rows of which columns may stand in quotes, and then hold separators and line breaks."""
    csv.field_size_limit(LARGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, _quoting_fault(error, number, reader.line_num, key)
            continue
        if row and (len(row) > 1 or row[0].strip(" ")):
            yield number, row


def _quoting_fault(error: csv.Error, first: int, last: int, key: str) -> Fault:
    what = next((ours for theirs, ours in QUOTING_FAULTS.items() if theirs in str(error)), str(error))
    reach = f" (its row ends in line {last})" if last > first else ""
    change = f"write a quote within a column twice, or set {key}.quoting=false where quotes are plain characters"
    return Fault(what + reach, change, is_fatal="unexpected end" in str(error))


def _picked(path: Path, form: Form, columns: Sequence[tuple[str, Column]], lines: Iterator[Line]) -> Iterator[Line]:
    """Of every row the columns that are read."""
    width, positions = 0, None
    for number, row in lines:
        if isinstance(row, Fault):
            row.is_fatal |= positions is None and form.header
            yield number, row
            continue
        if positions is None:
            width, positions = len(row), _positions(path, form, columns, row)
            if form.header:
                continue
        if len(row) == width:
            yield number, [row[position] for position in positions]
        else:
            found = f"has {len(row)} column{'s' * (len(row) != 1)} in place of {width}"
            yield number, Fault(found, f"correct it, or {form.key}.separator or {form.key}.quoting")


def _positions(path: Path, form: Form, columns: Sequence[tuple[str, Column]], first: Sequence[str]) -> list[int]:
    """Where in a row the columns stand that are read, given the first row."""
    form.check_numbers(columns)
    if form.names and len(form.names) != len(first):
        raise Mistake(
            f"{form.key}.names={list(form.names)} are {len(form.names)}, but the first row of {path} has {len(first)} "
            f"columns; set {form.key}.names to as many, or correct {form.key}.separator"
        )
    names = [name.strip() for name in form.names or first]
    return [_position(path, form, key, column, names) for key, column in columns]


def _position(path: Path, form: Form, key: str, column: Column, names: Sequence[str]) -> int:
    alone = f"; should there be more, set {form.key}.separator" if len(names) == 1 else ""
    if isinstance(column, int):
        if not 0 <= column < len(names):
            raise Mistake(
                f"{key}={column} is no column of {path}, whose first row has {len(names)}; "
                f"set {key} to a number from 0 to {len(names) - 1}{alone}"
            )
        return column
    if column not in names:
        listed = ", ".join(name[:30] for name in names[:12])
        raise Mistake(
            f"{key}={column} is no column of {path}{_nearest(column, names)}; set {key} to one of {listed}, "
            f"or {form.key}.header=false if that is no header{alone}"
        )
    if names.count(column) > 1:
        raise Mistake(f"{key}={column} stands twice in the header of {path}; set {key} to the column's number from 0")
    return names.index(column)


def _nearest(column: str, names: Sequence[str]) -> str:
    similar = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
    return f" (but {similar[0]})" if similar else ""


def texts_in(row: list[Any] | Fault, keys: Sequence[str], encoding: str) -> list[str]:
    """The texts of a row; empty where a JSON line has null.

    Args:
        keys: of its columns, for messages.

    Raises:
        Fault: that of the row, or where a value is no text.
    """
    if isinstance(row, Fault):
        raise row
    found = []
    for key, value in zip(keys, row, strict=True):
        if value is not None and not isinstance(value, str):
            raise Fault(
                f"has for {key} what is no text: {json.dumps(value)[:30]}", f"write it in quotes, or set data.{key}"
            )
        check_characters(value or "", encoding)
        found.append(value or "")
    return found
