"""LibriSpeech: folders of a speaker and a chapter, in each the recordings and a file of transcripts (Panayotov et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from lmlab.data.audio import SUFFIXES
from lmlab.data.published import Names, find_published
from lmlab.data.recordings import Recording, Recordings
from lmlab.examples import Speech
from lmlab.types import Mistake, Split


class Librispeech:
    """Each line of `1272-128104.trans.txt` is the name of a recording beside it, and what is said there.

    Args:
        root: folder that holds the data; None: LMLAB_DATA.
        folders: where below it the parts may lie.
        parts: the names that each split's folder goes by; [a,b] are two together.
        lowercase: whether transcripts are written in lower case, where the files have capitals.
        sample_rate, on_error, cache_dir: see Recordings.
    """

    example = Speech

    def __init__(
        self,
        *,
        root: str | None,
        folders: Sequence[str],
        parts: Mapping[str, Names | None],
        lowercase: bool,
        sample_rate: int,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        found = find_published(
            "LibriSpeech", "openslr.org/12", root, folders, parts, is_there=lambda path: path.is_dir()
        )
        splits = {
            cast(Split, split): [one for folder in paths for one in _recordings(folder, lowercase=lowercase)]
            for split, paths in found.items()
        }
        self._recordings = Recordings(splits, sample_rate=sample_rate, on_error=on_error, cache_dir=cache_dir)

    def fingerprint(self) -> str:
        return self._recordings.fingerprint()

    def read(self, split: Split) -> Iterator[Speech]:
        return self._recordings.read(split)


def _recordings(folder: Path, *, lowercase: bool) -> Iterator[Recording]:
    lists = sorted(folder.glob("*/*/*.trans.txt"))
    if not lists:
        raise Mistake(f"{folder} has no SPEAKER/CHAPTER/*.trans.txt; set data.root to the folder of LibriSpeech")
    for path in lists:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            name, _, text = line.strip().partition(" ")
            yield Recording(
                _file(path.parent, name), text.lower() if lowercase else text, f"{path.name}, line {number}"
            )


def _file(folder: Path, name: str) -> Path:
    """The recording of a name, whatever its format; flac where there is none."""
    found = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in found if path.exists()), folder / f"{name}.flac")
