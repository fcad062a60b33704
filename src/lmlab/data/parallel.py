"""Anyone's parallel text: two files, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lmlab.data.example_files import ExampleFiles
from lmlab.data.find import find_files
from lmlab.data.line_files import LineFiles
from lmlab.examples import SourceTarget
from lmlab.types import Mistake, Split

EXAMPLE = "data.source_path=train.en data.target_path=train.de"


class Parallel:
    """Line n of one file is the source, line n of another its target; a split without files is cut from train."""

    example = SourceTarget

    def __init__(
        self,
        *,
        source_path: str | None,
        target_path: str | None,
        val_source_path: str | None,
        val_target_path: str | None,
        test_source_path: str | None,
        test_target_path: str | None,
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if source_path in (None, "", "???") and target_path in (None, "", "???"):
            raise Mistake(f"this data needs two files, line by line: {EXAMPLE}")
        wanted: dict[Split, tuple[str, str | None, str | None]] = {
            "train": ("", source_path, target_path),
            "val": ("val_", val_source_path, val_target_path),
            "test": ("test_", test_source_path, test_target_path),
        }
        self._files: ExampleFiles[SourceTarget] = ExampleFiles(
            {
                part: [_line_files(prefix, source, target, encoding)]
                for part, (prefix, source, target) in wanted.items()
                if source or target
            },
            split=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def read(self, split: Split) -> Iterator[SourceTarget]:
        return self._files.read(split)


def _line_files(prefix: str, source: str | None, target: str | None, encoding: str) -> LineFiles:
    """The file of sources with those of targets that belong to it."""
    keys = (f"data.{prefix}source_path", f"data.{prefix}target_path")
    if not source or not target:
        there, missing = keys if source else reversed(keys)
        raise Mistake(f"{there}={source or target} is half of a parallel text; set {missing} to the other file")
    for key, path in zip(keys, (source, target)):
        if Path(path).expanduser().is_dir():
            raise Mistake(f"{key}={path} is a folder; set {key} to a file")
    sources, targets = find_files(source, keys[0]), find_files(target, keys[1])
    if len(sources) > 1:
        raise Mistake(f"{keys[0]}={source} are {len(sources)} files; set {keys[0]} to one")
    if sources[0].resolve() in [file.resolve() for file in targets]:
        raise Mistake(f"{keys[0]} and {keys[1]} are both {sources[0]}; set {keys[1]} to another file")
    return LineFiles(sources[0], tuple(targets), encoding)
