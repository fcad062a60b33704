"""The words that an evaluation of vectors knows: by frequency, in any case, without those that have no vector to read."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.types import EOS, UNK, Failed


class Candidates:
    """The first `num` words of a vocabulary; None: all. Of words that differ in case, the most frequent one is meant.

    This is how gensim's `evaluate_word_pairs` and `evaluate_word_analogies` read a vocabulary (case_insensitive=True).
    """

    def __init__(self, words: Sequence[str], num: int | None) -> None:
        with_vector = [number for number, word in enumerate(words) if word not in (EOS, UNK)]
        self.words = words
        self.ids = with_vector[:num]
        self.first: dict[str, int] = {}
        """Upper case -> the place in `ids` of the first word that reads so."""
        self.variants: dict[int, list[int]] = {}
        """That place -> the places of all words that read so, where there are several."""
        for place, number in enumerate(self.ids):
            first = self.first.setdefault(words[number].upper(), place)
            if first != place:
                self.variants.setdefault(first, [first]).append(place)

    def place(self, word: str) -> int | None:
        """Where in `ids` a word of a question stands."""
        return self.first.get(word.upper())

    def select(self, vectors: Float[Tensor, "vocab dim"]) -> Float[Tensor, "candidates dim"]:
        """Their vectors as float32, all of them finite."""
        assert len(vectors) == len(self.words), f"{len(vectors)} vectors for {len(self.words)} words"
        chosen = vectors.detach()[torch.tensor(self.ids, dtype=torch.long, device=vectors.device)].float()
        broken = ~chosen.isfinite().all(dim=1)
        if broken.any():
            word = self.words[self.ids[int(broken.nonzero()[0])]]
            raise Failed(
                f"{int(broken.sum())} of {len(self.ids)} word vectors hold NaN or infinite numbers, the first that of {word!r}; "
                "set optimizer.lr lower"
            )
        return chosen
