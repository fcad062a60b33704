"""The rows of a table file as examples of classification."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmlab.data.characters import check_characters
from lmlab.data.found import Fault, Found
from lmlab.data.layout import Layout
from lmlab.data.rows import read_rows
from lmlab.examples import Labelled


def labelled_rows(path: Path, layout: Layout, *, skip: bool) -> Iterator[Found[Labelled]]:
    """Every row in the order of the file, whole or faulty."""
    for line, row in read_rows(path, layout.form, layout.columns_read, encoding=layout.encoding, skip=skip):
        yield Found(path, f"line {line}", row if isinstance(row, Fault) else _example(row, layout))


def _example(row: list[Any], layout: Layout) -> Labelled | Fault:
    try:
        return Labelled(_texts(row[:-1], layout), _labels(row[-1], layout))
    except Fault as fault:
        return fault


def _texts(values: list[Any], layout: Layout) -> tuple[str, ...]:
    texts = [_text(value, layout) for value in values]
    if layout.join is not None:
        texts = [layout.join.join(text for text in texts if text.strip())]
    if not all(text.strip() for text in texts):
        raise Fault("has an empty text", "write one, or set data.text to another column")
    return tuple(texts)


def _text(value: Any, layout: Layout) -> str:
    if value is not None and not isinstance(value, str):
        raise Fault(f"has for a text what is none: {json.dumps(value)[:30]}", "set data.text to a column of text")
    text = value or ""
    check_characters(text, layout.encoding)
    for written, meant in layout.replace or ():
        text = text.replace(written, meant)
    return text


def _labels(value: Any, layout: Layout) -> tuple[str, ...]:
    several = layout.label_separator
    if isinstance(value, list):
        if several is None:
            raise Fault("has a list of labels", "set data.label_separator=',' to let several labels hold at once")
        parts = [_label(one) for one in value]
    else:
        label = _label(value)
        parts = [label] if several is None else label.split(several)
    named = [_named(part.strip(), layout) for part in parts if part.strip()]
    if not named and several is None:
        raise Fault("has an empty label", "write one, or set data.label to another column")
    for label in named:
        check_characters(label, layout.encoding)
    return tuple(dict.fromkeys(named))


def _label(value: Any) -> str:
    """A label as written; those of JSON may be numbers, true and false."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, dict | list):
        raise Fault(f"has for a label what is none: {json.dumps(value)[:30]}", "set data.label to a column of labels")
    return json.dumps(value)


def _named(label: str, layout: Layout) -> str:
    """What the file's label means."""
    if layout.label_until is not None:
        label = label.split(layout.label_until, 1)[0]
    if layout.label_names is None:
        return label
    if label not in layout.label_names:
        known = ", ".join(layout.label_names)
        raise Fault(f"has the label {label}, which is none of {known}", "correct it, or data.label or data.label_names")
    return layout.label_names[label]
