"""Data sets through Hugging Face's `datasets`: by their name on the hub, or from a folder in the hub's layout."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lmlab.data.cache import cache_folder
from lmlab.data.fingerprint import file_hash
from lmlab.data.found import Fault
from lmlab.data.hub_rows import HubRows
from lmlab.data.portion import check_fractions, split_of
from lmlab.data.template import check_template
from lmlab.types import Mistake, Split

log = logging.getLogger(__name__)

TOGETHER = 256
"""Rows that are read at a time."""

USUAL: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
"""What splits are called on the hub."""

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".arrow": "arrow",
}
"""Of a file that is named itself; `datasets` knows by itself those of a folder."""


class HuggingFace:
    """Rows become examples of the type that the columns make, see HubRows; splits that are missing are cut from train.

    `datasets` keeps the rows on disk as Arrow files and maps them; streamed, they are read anew each time, and nothing is kept.
    """

    example: type

    def __init__(  # more than 8 arguments: a key for each column, as users name them
        self,
        *,
        name: str | None,
        config: str | None,
        path: str | None,
        streaming: bool,
        splits: Mapping[str, str | None],
        split: Mapping[str, int | float],
        text: str | Sequence[str],
        label: str | None,
        source: str | None,
        target: str | None,
        tokens: str | None,
        tags: str | None,
        question: str | None,
        messages: str | None,
        template: Mapping[str, str],
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if on_error not in ("strict", "skip"):
            raise Mistake(f"data.on_error={on_error} is not known; set data.on_error to strict or skip")
        if (name is None) == (path is None):
            raise Mistake(
                "data=huggingface needs one of data.name, a data set on the hub such as data.name=stanfordnlp/imdb, "
                "and data.path, a folder in the hub's layout"
            )
        check_fractions(split)
        check_template(template)
        self._name, self._config, self._streaming = name, config, streaming
        self._path = None if path is None else Path(path).expanduser()
        if self._path is not None and not self._path.exists():
            raise Mistake(
                f"data.path={path} does not exist; set data.path to a folder in the hub's layout, or to a file"
            )
        self._wanted, self._fractions, self._on_error = splits, split, on_error
        self._cache = cache_folder(cache_dir)
        self._rows = HubRows(
            messages=messages,
            question=question,
            tokens=tokens,
            tags=tags,
            source=source,
            target=target,
            label=label,
            text=(text,) if isinstance(text, str) else tuple(text),
            template=template,
        )
        self.example = self._rows.example

    def fingerprint(self) -> str:
        """Of the files where they lie here, of the version on the hub elsewhere; and of what is read of them."""
        content = self._version if self._name is not None else self._content
        made = [
            self._on_error,
            self._rows.columns,
            {**self._rows.template},
            sorted(self._names.items()),
            sorted(self._cut.items()),
        ]
        return hashlib.sha256(json.dumps([content, self._config, made], sort_keys=True).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Any]:
        origin = "train" if split in self._cut else split
        if origin not in self._names:
            return
        name = self._names[origin]
        faults, left_out = [], 0
        for number, row in enumerate(self._read_rows(name), start=1):
            try:
                example, group = self._rows.read(row, number, self._labels)
            except Fault as fault:
                if self._on_error == "strict":
                    raise Mistake(
                        f"{self._spoken}, row {number} of {name} {fault.what}; {fault.change}, or set data.on_error=skip to "
                        "leave such rows out"
                    ) from None
                faults.append(f"row {number} {fault.what}")
                continue
            if example is None:
                left_out += 1
            elif origin != "train" or not self._cut or split_of(" ".join(group.split()), self._cut) == split:
                yield example
        if faults:
            were = "row was" if len(faults) == 1 else "rows were"
            log.warning(
                "%s, %s: %s %s left out: %s", self._spoken, name, f"{len(faults):,}", were, "; ".join(faults[:3])
            )
        if left_out:
            log.info("%s: %d rows of %s are empty or have no label and are left out", self._spoken, left_out, name)

    def _read_rows(self, name: str) -> Iterator[dict[str, Any]]:
        rows = self._loaded[name].select_columns(sorted({column.split(".")[0] for column in self._tops}))
        for block in rows.iter(batch_size=TOGETHER):
            columns = list(block)
            for values in zip(*block.values()):
                yield dict(zip(columns, values))

    @property
    def _spoken(self) -> str:
        return str(self._name or self._path)

    @property
    def _tops(self) -> list[str]:
        """The columns that are read, whole."""
        there = self._columns
        own = [column if column in there else column.split(".")[0] for column in self._rows.columns]
        return [*own, *(column for column in ("id", "title") if self._rows.question is not None and column in there)]

    @cached_property
    def _columns(self) -> list[str]:
        """Of the training split; those that are named are among them.

        Raises:
            Mistake: where one is not, with those that there are.
        """
        rows = self._loaded[self._names["train"]]
        there: list[str] = list(rows.column_names or next(iter(rows), {}))
        for column, key in self._rows.columns.items():
            if column not in there and column.split(".")[0] not in there:
                raise Mistake(f"{self._spoken} has no column {column}; set {key} to one of {', '.join(there)}")
        return there

    @cached_property
    def _labels(self) -> dict[str, list[str]]:
        """The names of numbers in the columns that have some."""
        features = self._loaded[self._names["train"]].features or {}
        found = {}
        for column in self._rows.columns:
            feature = features.get(column)
            names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
            if names is not None:
                found[column] = list(names)
        return found

    @cached_property
    def _names(self) -> dict[str, str]:
        """Split -> what it is called there, of those that are there."""
        there, found = list(self._loaded), {}
        for split, usual in USUAL.items():
            own = self._wanted.get(split)
            if own is not None and own not in there:
                raise Mistake(
                    f"{self._spoken} has no split {own}; set data.splits.{split} to one of {', '.join(there)}"
                )
            if (name := own or next((one for one in usual if one in there), None)) is not None:
                found[split] = name
        if "train" not in found:
            raise Mistake(f"{self._spoken} has no split train; set data.splits.train to one of {', '.join(there)}")
        return found

    @cached_property
    def _cut(self) -> dict[str, int | float]:
        """The fractions of train for splits that are not there."""
        found = {split: part for split, part in self._fractions.items() if part and split not in self._names}
        if "val" not in self._names and "val" not in found:
            raise Mistake("data.split.val=0 leaves no validation examples; set data.split.val=0.05 or data.splits.val")
        return found

    # Loading.

    @cached_property
    def _loaded(self) -> Mapping[str, Any]:
        """Split name -> rows."""
        datasets = _library()
        datasets.disable_progress_bars()
        if self._is_saved:
            found = datasets.load_from_disk(str(self._path))
            found = found if isinstance(found, dict) else {"train": found}
            return {name: rows.to_iterable_dataset() for name, rows in found.items()} if self._streaming else found
        where = self._where
        self._check_config(datasets, where)
        kept = {} if self._name is not None else {"cache_dir": str(self._cache / "huggingface")}
        found = self._said(lambda: datasets.load_dataset(**where, name=self._config, streaming=self._streaming, **kept))
        return dict(found)

    @property
    def _is_saved(self) -> bool:
        """Whether `save_to_disk` wrote the folder."""
        marks = ("dataset_dict.json", "state.json")
        return self._path is not None and any((self._path / mark).is_file() for mark in marks)

    @property
    def _where(self) -> dict[str, Any]:
        """What is loaded, as `datasets` wants it said."""
        path = self._path
        if path is None:
            return {"path": self._name}
        if path.is_dir():
            return {"path": str(path)}
        kind = next((kind for suffix, kind in FORMATS.items() if suffix in path.suffixes), None)
        if kind is None:
            raise Mistake(f"data.path={path} is none of {', '.join(FORMATS)}; set it to such a file, or to a folder")
        return {"path": kind, "data_files": str(path)}

    def _check_config(self, datasets: Any, where: Mapping[str, Any]) -> None:
        if "data_files" in where:
            return
        names = self._said(lambda: datasets.get_dataset_config_names(where["path"]))
        if self._config is not None and self._config not in names:
            raise Mistake(
                f"{self._spoken} has no configuration {self._config}; set data.config to one of {', '.join(names)}"
            )
        if self._config is None and len(names) > 1:
            default = self._said(lambda: datasets.get_dataset_default_config_name(where["path"]))
            if default is None:
                raise Mistake(
                    f"{self._spoken} has several configurations; set data.config to one of {', '.join(names)}"
                )

    def _said(self, call: Any) -> Any:
        """A call of the library, whose complaints become one sentence."""
        try:
            return call()
        except (OSError, ValueError) as error:
            line = str(error).strip().split("\n")[0]
            if self._name is None:
                raise Mistake(
                    f"data.path={self._spoken} cannot be read by datasets ({line}); give it parquet, jsonl or csv files, "
                    "as the hub has them"
                ) from error
            raise Mistake(
                f"data.name={self._name} was not found on the Hugging Face hub, or there is no network ({line}); correct it, "
                "fetch it where there is one (lmlab prepare), or set data.path to a folder of it"
            ) from error

    # What it holds.

    @cached_property
    def _version(self) -> list[str | None]:
        """Of the hub's files: the commit that they are of."""
        datasets = _library()
        builder = self._said(lambda: datasets.load_dataset_builder(self._name, self._config))
        return [self._name, builder.hash]

    @cached_property
    def _content(self) -> list[list[str]]:
        """Name below the folder and hash of each file; of a README what it says of configurations, and no sizes or dates."""
        root = self._path
        assert root is not None, "it lies here"
        if root.is_file():
            return [[file_hash(root, self._cache)]]
        found = []
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root)
            if not path.is_file() or any(part.startswith(".") for part in name.parts):
                continue
            if path.name == "README.md":
                found.append([path.name, _configurations(path)])
            elif not (self._is_saved and path.suffix == ".json"):  # which says what process wrote it
                found.append([name.as_posix(), file_hash(path, self._cache)])
        return found


def _library() -> Any:
    try:
        import datasets  # its import takes seconds
    except ImportError:
        raise Mistake("data=huggingface needs the library datasets; install it: pip install 'lmlab[hub]'") from None
    return datasets


def _configurations(readme: Path) -> str:
    """What the head of a data set's card says of its files."""
    parts = readme.read_text(encoding="utf-8").split("---\n", 2)
    head = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else {}
    return json.dumps([head.get(key) for key in ("configs", "dataset_info")], sort_keys=True, default=str)
