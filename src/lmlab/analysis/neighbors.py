"""The words nearest to a word or to a sum of words, by the cosine of their vectors (Mikolov et al. 2013a)."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.types import Mistake

NUM_SIMILAR = 5


def nearest(
    vectors: Float[Tensor, "vocab dim"], query: Float[Tensor, "dim"], *, num: int, exclude: Collection[int] = ()
) -> list[tuple[int, float]]:
    """Ids and cosines of the `num` words that are nearest to the query, the nearest first."""
    unit = torch.nn.functional.normalize(vectors.detach().float(), dim=1, eps=1e-30)
    cosines = unit @ torch.nn.functional.normalize(query.detach().float(), dim=0, eps=1e-30)
    cosines[torch.tensor(sorted(exclude), dtype=torch.long, device=cosines.device)] = -torch.inf
    values, ids = cosines.sort(descending=True, stable=True)  # of equals the more frequent word
    number = max(0, min(num, len(vectors) - len(set(exclude))))
    return list(zip(ids[:number].tolist(), values[:number].tolist()))


def combined(parts: Sequence[tuple[Float[Tensor, "dim"], int]]) -> Float[Tensor, "dim"]:
    """The sum of vectors of length 1, each with its sign: `king - man + woman` of 3CosAdd."""
    return torch.stack(
        [sign * torch.nn.functional.normalize(vector.float(), dim=0, eps=1e-30) for vector, sign in parts]
    ).sum(dim=0)


def signed_words(text: str, key: str = "analogy") -> tuple[tuple[str, int], ...]:
    """`king - man + woman` -> (king, 1), (man, -1), (woman, 1).

    Only a sign with blanks around it is one, since words may hold hyphens; `key` is what a mistake names.
    """
    spaced = f" {text.strip()} "
    cells = re.split(r"\s([+-])(?=\s)", spaced)
    has_sign = not cells[0].strip()
    cells = cells[1:] if has_sign else ["+", *cells]
    signs, words = cells[::2], [cell.strip() for cell in cells[1::2]]
    if len(signs) != len(words) or not words or not all(words):
        raise Mistake(f'{key}="{text}" lacks a word beside a sign; write {key}="king - man + woman"')
    double = next((word for word in words if re.search(r"\s", word)), None)
    if double:
        raise Mistake(f'{key}="{text}" has "{double}" where one word was expected; write " + " or " - " between words')
    return tuple((word, 1 if sign == "+" else -1) for word, sign in zip(words, signs))


def word_id(word: str, ids: Mapping[str, int], key: str = "word") -> int:
    """The id of a word; one that is unknown is a Mistake that names those spelled most alike."""
    found = ids.get(word)
    if found is None:
        similar = nearest_spelled(word, ids)
        hint = f"; there is {', '.join(similar)}" if similar else ""
        raise Mistake(f"{key}={word} is not among the {len(ids):,} words of the vocabulary{hint}")
    return found


def nearest_spelled(word: str, words: Collection[str]) -> list[str]:
    """Up to five words, those that differ in case alone first."""
    folded = word.casefold()
    same = [one for one in words if one.casefold() == folded]
    near = [one for one in words if abs(len(one) - len(word)) <= 3 and one not in same]
    return [*same, *difflib.get_close_matches(folded, near, n=NUM_SIMILAR, cutoff=0.6)][:NUM_SIMILAR]
