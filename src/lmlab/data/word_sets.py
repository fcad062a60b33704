"""Which of the published evaluation sets of word vectors lie below a folder, recognised by the names of their files."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lmlab.data.word_analogies import read_word_analogies
from lmlab.data.word_pairs import read_word_pairs
from lmlab.types import Analogy, Mistake, WordPair

SIMILARITY: Mapping[str, tuple[str, ...]] = {
    "wordsim353": (
        "wordsim353.tsv",
        "wordsim353.csv",
        "wordsim353.txt",
        "en-ws-353-all.txt",
        "combined.tab",
        "combined.csv",
    ),
    "wordsim353_similarity": ("en-ws-353-sim.txt", "wordsim_similarity_goldstandard.txt"),
    "wordsim353_relatedness": ("en-ws-353-rel.txt", "wordsim_relatedness_goldstandard.txt"),
    "simlex999": ("simlex-999.txt", "simlex999.txt", "en-simlex-999.txt"),
    "men": ("men_dataset_natural_form_full", "en-men-tr-3k.txt", "men.txt"),
    "rare_words": ("rw.txt", "en-rw-stanford.txt"),
    "mturk287": ("en-mturk-287.txt",),
    "mturk771": ("en-mturk-771.txt", "mturk-771.csv"),
    "rubenstein_goodenough": ("en-rg-65.txt",),
    "simverb3500": ("simverb-3500.txt", "en-simverb-3500.txt"),
}
"""Set -> the names that its file goes by, in small letters; of several the first is read."""

ANALOGY: Mapping[str, tuple[str, ...]] = {
    "analogy": ("questions-words.txt", "word-test.v1.txt"),
    "phrases": ("questions-phrases.txt",),
    "ca_translated": ("ca_translated.txt",),
}
CA8 = ("semantic.txt", "morphological.txt")
"""These names say little: they count together, in a folder whose name has "ca8" in it."""

MAX_DEPTH = 4
MAX_FOLDERS = 2000
"""So many are looked into, those of the upper levels first: a root may be a whole archive of data sets."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WordSets:
    """Pairs and questions by the name of their set; that of Google's questions is `analogy`."""

    similarity: Mapping[str, tuple[WordPair, ...]] = field(default_factory=dict)
    analogy: Mapping[str, tuple[Analogy, ...]] = field(default_factory=dict)


def read_word_sets(root: Path) -> WordSets:
    """The content of all sets below the folder."""
    similarity, analogy = find_word_sets(root)
    return WordSets(
        {name: read_word_pairs(path) for name, path in similarity.items()},
        {name: tuple(one for path in paths for one in read_word_analogies(path)) for name, paths in analogy.items()},
    )


def find_word_sets(root: Path) -> tuple[dict[str, Path], dict[str, tuple[Path, ...]]]:
    """The files of similarity sets and those of analogy sets, by the name of the set."""
    if not root.is_dir():
        raise Mistake(f"{root} is not a folder; name one that holds evaluation sets such as wordsim353.tsv")
    found: dict[str, Path] = {}
    ca8: tuple[Path, ...] = ()
    for folder, names in _folders(root):
        for name in names:
            found.setdefault(name.lower(), folder / name)
        here = {name.lower(): folder / name for name in names}
        if not ca8 and "ca8" in folder.name.lower() and all(name in here for name in CA8):
            ca8 = tuple(here[name] for name in CA8)
    analogy = {name: (path,) for name, path in _first(ANALOGY, found).items()}
    return _first(SIMILARITY, found), analogy | ({"ca8": ca8} if ca8 else {})


def _first(known: Mapping[str, tuple[str, ...]], found: Mapping[str, Path]) -> dict[str, Path]:
    present = {name: [found[file] for file in files if file in found] for name, files in known.items()}
    return {name: paths[0] for name, paths in present.items() if paths}


def _folders(root: Path) -> list[tuple[Path, list[str]]]:
    """Folders and the names of their files, level by level, each in alphabetical order."""
    level = [root]
    seen: list[tuple[Path, list[str]]] = []
    for _ in range(MAX_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            if len(seen) == MAX_FOLDERS:
                log.warning("%s has more than %d folders: sets in others were not looked for", root, MAX_FOLDERS)
                return seen
            names, folders = _entries(folder)
            seen.append((folder, names))
            below += [folder / name for name in folders]
        level = below
    return seen


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of files and of folders; links to folders are not followed, hidden and unreadable ones are passed over."""
    names: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders += [entry.name] if not entry.name.startswith(".") else []
                else:
                    names.append(entry.name)
    except PermissionError:
        return [], []
    return sorted(names), sorted(folders)
