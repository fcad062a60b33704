"""Anyone's recordings: a table with the path of each and what is said in it, as CSV, TSV, or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lmlab.data.document import check_encoding
from lmlab.data.find import find_files
from lmlab.data.form import SUFFIXES, Column, Form
from lmlab.data.found import Fault
from lmlab.data.portion import check_fractions, split_of
from lmlab.data.recordings import Recording, Recordings
from lmlab.data.rows import read_rows
from lmlab.examples import Speech
from lmlab.types import SPLITS, Mistake, Split


class SpeechTable:
    """Every row is a recording; rows without a split of their own are divided by a hash of their transcripts.

    Args:
        path, val_path, test_path: tables; a recording's path is looked for beside its table, unless it is absolute.
        split: shares of the rows of `path` where there is no `val_path` or `test_path`.
        audio, text: columns, by name or by number from 0.
        format, separator, header: see Form.
        sample_rate, on_error, cache_dir: see Recordings.
    """

    example = Speech

    def __init__(  # more than 8 arguments: those of a table and those of recordings
        self,
        *,
        path: str | None,
        val_path: str | None,
        test_path: str | None,
        split: Mapping[str, int | float],
        audio: str | int,
        text: str | int,
        format: str,
        separator: str | None,
        header: bool,
        encoding: str,
        sample_rate: int,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if path in (None, "", "???"):
            raise Mistake("this data needs data.path: a table with recordings and texts, such as data.path=speech.tsv")
        if audio == text:
            raise Mistake(f"data.audio={audio} is the column of data.text as well; set data.audio to that of the files")
        check_encoding(encoding, on_error, ("strict", "skip"))
        form = Form(
            format=format, separator=separator, quoting=None, header=header, names=None, columns=None, key="data"
        )
        columns = [("data.text", text), ("data.audio", audio)]
        form.check(columns)
        check_fractions(split)
        own: dict[Split, str | None] = {"train": path, "val": val_path, "test": test_path}
        tables = {part: list(_rows(str(one), part, form, columns, encoding)) for part, one in own.items() if one}
        fractions = {part: share for part, share in split.items() if part not in tables}
        splits: dict[Split, list[Recording]] = {part: [*tables.get(part, [])] for part in SPLITS if part != "train"}
        splits["train"] = []
        for one in tables["train"]:
            splits[split_of(" ".join(one.text.split()), fractions)].append(one)
        if not splits["val"]:
            raise Mistake(f"data.split={dict(split)} leaves no row for validation; give more rows, or data.val_path")
        self._recordings = Recordings(splits, sample_rate=sample_rate, on_error=on_error, cache_dir=cache_dir)

    def fingerprint(self) -> str:
        return self._recordings.fingerprint()

    def read(self, split: Split) -> Iterator[Speech]:
        return self._recordings.read(split)


def _rows(
    wanted: str, part: Split, form: Form, columns: Sequence[tuple[str, Column]], encoding: str
) -> Iterator[Recording]:
    key = "data.path" if part == "train" else f"data.{part}_path"
    for table in find_files(wanted, key, SUFFIXES):
        for number, row in read_rows(table, form, columns, encoding=encoding, skip=False):
            if isinstance(row, Fault):
                raise Mistake(f"{table}, line {number} {row.what}; {row.change}")
            text, audio = map(str, row)
            yield Recording(table.parent / Path(audio.strip()).expanduser(), text, f"{table.name}, line {number}")
