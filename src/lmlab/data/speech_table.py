"""Anyone's recordings: a table with the path of each and what is said in it, as CSV, TSV, or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lmlab.data.cache import cache_folder
from lmlab.data.document import check_encoding
from lmlab.data.equal_files import check_equal_files
from lmlab.data.find import find_splits
from lmlab.data.fingerprint import file_hash
from lmlab.data.form import SUFFIXES, Column, Form
from lmlab.data.found import Fault
from lmlab.data.portion import check_fractions, split_of
from lmlab.data.recordings import Recording, Recordings
from lmlab.data.rows import read_rows, texts_in
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
        files = find_splits(str(path), val_path, test_path, SUFFIXES)
        cache = cache_folder(cache_dir)
        check_equal_files({part: [(file_hash(file, cache), file) for file in own] for part, own in files.items()})
        tables = {
            part: [one for path in paths for one in _rows(path, form, columns, encoding, skip=on_error == "skip")]
            for part, paths in files.items()
        }
        fractions = {part: share for part, share in split.items() if part not in tables}
        splits: dict[Split, list[Recording]] = {part: [*tables.get(part, [])] for part in SPLITS if part != "train"}
        splits["train"] = []
        for one in tables["train"]:
            drawn = "train" if one.fault else split_of(" ".join(one.text.split()), fractions)
            splits[drawn].append(one)
        spoken: dict[Split, str] = {"val": "validation", "test": "the test"}
        for part, name in spoken.items():
            if not splits[part] and (part == "val" or fractions.get(part)):
                raise Mistake(f"data.split={dict(split)} leaves no row for {name}; give more rows, or data.{part}_path")
        self._recordings = Recordings(splits, sample_rate=sample_rate, on_error=on_error, cache_dir=cache_dir)

    def fingerprint(self) -> str:
        return self._recordings.fingerprint()

    def read(self, split: Split) -> Iterator[Speech]:
        return self._recordings.read(split)


def _rows(
    table: Path, form: Form, columns: Sequence[tuple[str, Column]], encoding: str, *, skip: bool
) -> Iterator[Recording]:
    for number, row in read_rows(table, form, columns, encoding=encoding, skip=skip):
        try:
            text, audio = texts_in(row, ("text", "audio"), encoding)
            if not audio.strip():
                raise Fault("names no recording", "write its path, or set data.audio to another column")
        except Fault as fault:
            yield Recording(table, "", f"line {number}", fault)
            continue
        yield Recording(table.parent / Path(audio.strip()).expanduser(), text, f"{table.name}, line {number}")
