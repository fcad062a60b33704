"""Anyone's images: a table with the file of each and what is said of it, as CSV, TSV, or JSON lines."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lmlab.data.cache import cache_folder
from lmlab.data.document import check_encoding
from lmlab.data.find import find_files
from lmlab.data.form import SUFFIXES, Column, Form
from lmlab.data.found import Fault
from lmlab.data.pictures import Picture, Pictures, content_of
from lmlab.data.portion import check_fractions, split_of
from lmlab.data.rows import read_rows
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
        own: dict[Split, str | None] = {"train": path, "val": val_path, "test": test_path}
        tables = {
            part: _pictures(_rows(str(one), part, form, columns, encoding, on_error), folder, suffix)
            for part, one in own.items()
            if one
        }
        fractions = {part: share for part, share in split.items() if part not in tables}
        cache = cache_folder(cache_dir)
        splits: dict[Split, list[Picture]] = {part: [*tables.get(part, [])] for part in SPLITS if part != "train"}
        splits["train"] = []
        for one in tables["train"]:
            splits[split_of(content_of(one.path, cache) or str(one.path.name), fractions)].append(one)
        if not splits["val"]:
            raise Mistake(f"data.split={dict(split)} leaves no image for validation; give more, or data.val_path")
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
    wanted: str, part: Split, form: Form, columns: Sequence[tuple[str, Column]], encoding: str, on_error: str
) -> Iterator[tuple[Path, int, str, str]]:
    """Of each row its table and line, the caption and the image's name."""
    key = "data.path" if part == "train" else f"data.{part}_path"
    for table in find_files(wanted, key, SUFFIXES):
        faults = []
        for number, row in read_rows(table, form, columns, encoding=encoding, skip=on_error == "skip"):
            if not isinstance(row, Fault):
                yield table, number, str(row[0]), str(row[1])
            elif on_error == "strict" or row.is_fatal:
                raise Mistake(f"{table}, line {number} {row.what}; {row.change}")
            else:
                faults.append(f"line {number} {row.what}")
        if faults:
            log.warning("%s: %s rows were left out: %s", table.name, f"{len(faults):,}", "; ".join(faults[:3]))
