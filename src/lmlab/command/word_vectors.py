"""The words of a trained run and their vectors: of a model of words all it knows, of another its tokens and their embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlab.analysis.neighbors import word_id
from lmlab.command.kind.kind import kind_of
from lmlab.command.load import Loaded
from lmlab.types import Vocabulary


@dataclass(frozen=True)
class Lookup:
    """Words with vectors, the most frequent first where the run knows how often each was seen."""

    words: Sequence[str]
    vectors: Tensor
    """[word, dim]"""
    ids: Mapping[str, int]
    unseen: Callable[[str], Tensor | None]
    """The vector of a word that is not among them, where the model can make one."""
    counts: np.ndarray | None = None
    """How often each word was seen."""

    @staticmethod
    def of(loaded: Loaded) -> Lookup:
        """What the run has."""
        model: Any = loaded.task.model
        known = kind_of(loaded.config).known(loaded.run, loaded.tokenizer)
        if isinstance(known, Vocabulary):
            kept = known.counts.nonzero()[0].tolist()
            with torch.no_grad():
                vectors = model.vectors()[kept]
            return Lookup.made([known.words[index] for index in kept], vectors, model.unseen, known.counts[kept])
        words = [loaded.tokenizer.decode([index]).strip() for index in range(loaded.tokenizer.vocab_size)]
        kept = [index for index, word in enumerate(words) if word]
        vectors = model.embedding.weight.detach()[kept]
        return Lookup.made([words[index] for index in kept], vectors, lambda word: None)

    @staticmethod
    def made(
        words: Sequence[str],
        vectors: Tensor,
        unseen: Callable[[str], Tensor | None],
        counts: np.ndarray | None = None,
    ) -> Lookup:
        """Of equal words the first counts."""
        ids: dict[str, int] = {}
        for index, word in enumerate(words):
            ids.setdefault(word, index)
        return Lookup(words, vectors.detach().float(), ids, unseen, counts)

    def vector(self, word: str, key: str) -> Tensor:
        """[dim]; `key` is what a mistake names.

        Raises:
            Mistake: for a word that has none, with those that are spelled alike.
        """
        if word not in self.ids and (made := self.unseen(word)) is not None:
            return made.detach()
        return self.vectors[word_id(word, self.ids, key)]
