"""Questions with their contexts as memory-mapped ids, answers as spans of tokens; made once per content and tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, no_type_check

import numpy as np

from lmlab.examples import Answer, Question, QuestionRows
from lmlab.published import published
from lmlab.tokenizer.arrays import Trainer, TrainingTexts, identity_of, key_of, meta_of
from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.words import num_words
from lmlab.types import SPLITS, Source, Split

VERSION = 1
"""To be raised with every change of what is written, so that older folders are not taken for it."""

Places = Sequence[tuple[int, int]]
"""Of each token the characters from where to where."""


@no_type_check
@dataclass(frozen=True)
class QuestionArrays:
    """The questions of each split, and what they were made with."""

    train: QuestionRows
    val: QuestionRows
    test: QuestionRows
    tokenizer: Trained
    meta: dict[str, Any]
    """`splits`: per split tokens, bytes, words, characters, documents; `fingerprint` ..."""
    path: Path


def question_arrays(source: Source, trainer: Trainer, cache_dir: Path) -> QuestionArrays:
    """The questions of a source under a tokenizer of its training split alone; cached."""
    identity = identity_of(source, trainer, VERSION)
    path = Path(cache_dir) / "questions" / key_of(identity)
    return published(path, _open, lambda folder: _build(source, trainer, identity, folder))


def _open(path: Path) -> QuestionArrays | None:
    try:
        if (meta := meta_of(path)) is None:
            return None
        rows = {split: _mapped(path, split) for split in SPLITS}
        return QuestionArrays(**rows, tokenizer=load(path / "tokenizer.json"), meta=meta, path=path)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None


def _mapped(path: Path, split: Split) -> QuestionRows:
    names = [one.name for one in fields(QuestionRows)]
    return QuestionRows(**{name: np.load(path / f"{split}_{name}.npy", mmap_mode="r") for name in names})


def _build(source: Source, trainer: Trainer, identity: dict[str, Any], folder: Path) -> None:
    tokenizer = trainer.train(TrainingTexts(source))
    tokenizer.save(str(folder / "tokenizer.json"))
    splits = {split: _write(source, split, tokenizer, folder) for split in SPLITS}
    meta = {
        **identity,
        "vocab_size": tokenizer.vocab_size,
        "splits": splits,
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _write(source: Source, split: Split, tokenizer: Trained, folder: Path) -> dict[str, int]:
    count = dict.fromkeys(("tokens", "bytes", "words", "characters", "documents"), 0)

    def counted() -> Iterable[Question]:
        for example in source.read(split):
            count["bytes"] += sum(len(text.encode()) for text in example.texts)
            count["words"] += sum(map(num_words, example.texts))
            count["characters"] += sum(map(len, example.texts))
            count["documents"] += 1
            yield example

    rows = question_rows(tokenizer, counted())
    count["tokens"] = int(rows.question_lengths().sum() + rows.context_lengths().sum())
    for one in fields(QuestionRows):
        np.save(folder / f"{split}_{one.name}.npy", getattr(rows, one.name))
    return count


def question_rows(tokenizer: Trained, examples: Iterable[Question]) -> QuestionRows:
    """Questions as ids; a context is kept once for the questions about it that follow one another."""
    questions: list[Sequence[int]] = []
    contexts: list[Sequence[int]] = []
    places: list[np.ndarray] = []
    answers: list[list[tuple[int, int]]] = []
    context_of, is_answerable, before = [], [], None
    for example in examples:
        if example.context != before:
            before = example.context
            contexts.append(tokenizer.encode(before))
            places.append(np.array(tokenizer.places(before), np.int32).reshape(-1, 2))
            assert len(places[-1]) == len(contexts[-1]), "each token has its place"
        questions.append(tokenizer.encode(example.question))
        context_of.append(len(contexts) - 1)
        found = [span_of(answer, places[-1]) for answer in example.answers]
        answers.append([span for span in found if span is not None])
        is_answerable.append(bool(example.answers))
    return QuestionRows(
        question_ids=_flat(questions, tokenizer),
        question_ends=_ends(questions),
        context_ids=_flat(contexts, tokenizer),
        places=np.concatenate([np.empty((0, 2), np.int32), *places]),
        context_ends=_ends(contexts),
        context_of=np.array(context_of, np.int64),
        answers=np.array([span for spans in answers for span in spans], np.int32).reshape(-1, 2),
        answer_ends=_ends(answers),
        is_answerable=np.array(is_answerable, bool),
    )


@no_type_check
def span_of(answer: Answer, places: np.ndarray) -> tuple[int, int] | None:
    """First and last token that have characters of an answer, places being [token, 2]; None where there are none."""
    if answer.start is None:
        return None
    start, end = answer.start, answer.start + len(answer.text)
    inside = np.flatnonzero((places[:, 0] < places[:, 1]) & (places[:, 1] > start) & (places[:, 0] < end))
    return (int(inside[0]), int(inside[-1])) if len(inside) else None


def _flat(texts: Sequence[Sequence[int]], tokenizer: Trained) -> Any:
    return np.array([index for ids in texts for index in ids], dtype=tokenizer.dtype)


def _ends(parts: Sequence[Sequence[Any]]) -> Any:
    return np.cumsum([len(part) for part in parts], dtype=np.int64)
