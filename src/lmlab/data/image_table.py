"""Anyone's images: a table with the file of each and what is said of it, as CSV, TSV, or JSON lines."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lmlab.data.cache import cache_folder
from lmlab.data.document import check_encoding
from lmlab.data.equal_files import check_equal_files
from lmlab.data.find import find_splits
from lmlab.data.fingerprint import file_hash
from lmlab.data.form import SUFFIXES, Column, Form
from lmlab.data.found import Fault
from lmlab.data.pictures import Picture, Pictures, content_of
from lmlab.data.portion import check_fractions, split_of
from lmlab.data.rows import read_rows, texts_in
from lmlab.examples import Captioned
from lmlab.types import SPLITS, Mistake, Split

log = logging.getLogger(__name__)

NUMBER = re.compile(r"#\d+$")
"""Behind a file's name which of its captions a row has, as in Flickr8k."""


class ImageTable:
    """Every row is a caption; rows of one image are one example with several captions.

    Images without a split of their own are divided by a hash of their files' content: one image under two names stays in one.

    Args:
        path, val_path, test_path: tables.
        split: shares of the images of `path` where there is no `val_path` or `test_path`.
        image, text: columns, by name or by number from 0.
        folder: where the images lie, as seen from their table; None: beside it.
        suffix: what follows a name in the table to make it that of a file.
        format, separator, header: see Form.
        colour: red, green and blue; False: grey.
        size, on_error, cache_dir: see Pictures.
    """

    example = Captioned

    def __init__(  # more than 8 arguments: those of a table and those of images
        self,
        *,
        path: str | None,
        val_path: str | None,
        test_path: str | None,
        split: Mapping[str, int | float],
        image: str | int,
        text: str | int,
        folder: str | None,
        suffix: str,
        format: str,
        separator: str | None,
        header: bool,
        encoding: str,
        size: int,
        colour: bool,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if path in (None, "", "???"):
            raise Mistake("this data needs data.path: a table with images and captions, such as data.path=captions.tsv")
        if image == text:
            raise Mistake(f"data.image={image} is the column of data.text as well; set data.image to that of the files")
        check_encoding(encoding, on_error, ("strict", "skip"))
        form = Form(
            format=format, separator=separator, quoting=None, header=header, names=None, columns=None, key="data"
        )
        columns = [("data.text", text), ("data.image", image)]
        form.check(columns)
        check_fractions(split)
        files = find_splits(str(path), val_path, test_path, SUFFIXES)
        cache = cache_folder(cache_dir)
        check_equal_files({part: [(file_hash(file, cache), file) for file in own] for part, own in files.items()})
        tables = {
            part: _pictures(_rows(own, form, columns, encoding, on_error), folder, suffix)
            for part, own in files.items()
        }
        fractions = {part: share for part, share in split.items() if part not in tables}
        splits: dict[Split, list[Picture]] = {part: [*tables.get(part, [])] for part in SPLITS if part != "train"}
        splits["train"] = []
        for one in tables["train"]:
            splits[split_of(content_of(one.path, cache) or str(one.path.name), fractions)].append(one)
        spoken: dict[Split, str] = {"val": "validation", "test": "the test"}
        for part, name in spoken.items():
            if not splits[part] and (part == "val" or fractions.get(part)):
                raise Mistake(f"data.split={dict(split)} leaves no image for {name}; give more, or data.{part}_path")
        channels = 3 if colour else 1
        self._pictures = Pictures(splits, size=size, channels=channels, on_error=on_error, cache_dir=cache_dir)

    def fingerprint(self) -> str:
        return self._pictures.fingerprint()

    def read(self, split: Split) -> Iterator[Captioned]:
        return self._pictures.read(split)


def _pictures(rows: Iterator[tuple[Path, int, str, str]], folder: str | None, suffix: str) -> list[Picture]:
    """An image for each file, in the order in which it is first named."""
    found: dict[Path, tuple[list[str], str]] = {}
    for table, number, text, name in rows:
        file = Path(f"{NUMBER.sub('', name.strip())}{suffix}").expanduser()
        path = table.parent / Path(folder or "").expanduser() / file
        found.setdefault(path, ([], f"{table.name}, line {number}"))[0].append(text)
    return [Picture(path, tuple(dict.fromkeys(texts)), place) for path, (texts, place) in found.items()]


def _rows(
    tables: Sequence[Path], form: Form, columns: Sequence[tuple[str, Column]], encoding: str, on_error: str
) -> Iterator[tuple[Path, int, str, str]]:
    """Of each row its table and line, the caption and the image's name."""
    for table in tables:
        faults = []
        for number, row in read_rows(table, form, columns, encoding=encoding, skip=on_error == "skip"):
            try:
                text, name = texts_in(row, ("text", "image"), encoding)
                if not name.strip():
                    raise Fault("names no image", "write its path, or set data.image to another column")
                yield table, number, text, name
            except Fault as fault:
                if on_error == "strict" or fault.is_fatal:
                    raise Mistake(f"{table}, line {number} {fault.what}; {fault.change}") from None
                faults.append(f"line {number} {fault.what}")
        if faults:
            were = "row was" if len(faults) == 1 else "rows were"
            log.warning("%s: %s %s left out: %s", table.name, f"{len(faults):,}", were, "; ".join(faults[:3]))
