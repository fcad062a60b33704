"""Accuracy on analogies: the word nearest to b - a + c, the three of the question excluded (Mikolov et al. 2013a, 4.1)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from lmlab.metric.candidates import Candidates
from lmlab.types import Analogy as Question

Unit = Float[Tensor, "questions dim"]
Rule = Callable[[Float[Tensor, "candidates dim"], Unit, Unit, Unit], Float[Tensor, "questions candidates"]]

MAX_SCORES = 2**25
"""Of questions times candidates at once: 128 MiB."""

EPSILON = 0.001


def cos_add(
    candidates: Float[Tensor, "candidates dim"], a: Unit, b: Unit, c: Unit
) -> Float[Tensor, "questions candidates"]:
    """3CosAdd: cos(x, b - a + c), up to a factor that is the same for every x (Levy and Goldberg 2014, eq. 1-3)."""
    return (b - a + c) @ candidates.T


def cos_mul(
    candidates: Float[Tensor, "candidates dim"], a: Unit, b: Unit, c: Unit
) -> Float[Tensor, "questions candidates"]:
    """3CosMul: cos(x, b) cos(x, c) / (cos(x, a) + 0.001), cosines moved to 0 ... 1 (Levy and Goldberg 2014, eq. 4)."""
    near_a, near_b, near_c = ((words @ candidates.T + 1) / 2 for words in (a, b, c))
    return near_b * near_c / (near_a + EPSILON)


@dataclass(frozen=True)
class Count:
    """Questions of a section."""

    correct: int
    answered: int
    asked: int


class Analogy(Metric):
    """Questions with a word that is not among the first `num_candidates` are left out, and `coverage` is the share of others.

    Fewer candidates are fewer wrong answers and leave out the harder questions, so that figures of different numbers do not
    compare: `analogy@30k` is what the original program and early papers print, `analogy@full` (None) has all words.
    """

    full_state_update = False
    correct: Tensor

    def __init__(
        self, *, words: Sequence[str], questions: Sequence[Question], num_candidates: int | None, rule: Rule = cos_add
    ) -> None:
        """`words` are by id and by falling frequency."""
        super().__init__()
        self.candidates, self.rule = Candidates(words, num_candidates), rule
        self.sections = list(dict.fromkeys(question.section for question in questions))
        self.is_syntactic = {question.section: question.is_syntactic for question in questions}
        places = [[self.candidates.place(word) for word in question.words] for question in questions]
        numbers = [self.sections.index(question.section) for question in questions]
        known = [index for index, found in enumerate(places) if None not in found]
        self.questions = torch.tensor([places[index] for index in known], dtype=torch.long).view(-1, 4)
        self.section = torch.tensor([numbers[index] for index in known], dtype=torch.long)
        self.asked = torch.tensor(numbers, dtype=torch.long).bincount(minlength=len(self.sections)).tolist()
        self.answered = self.section.bincount(minlength=len(self.sections)).tolist()
        self.add_state("correct", torch.zeros(len(self.sections), dtype=torch.long), dist_reduce_fx="max")

    @torch.no_grad()
    def update(self, vectors: Float[Tensor, "vocab dim"]) -> None:
        """Measure these vectors, on their device; those of an earlier update count no more."""
        unit = torch.nn.functional.normalize(self.candidates.select(vectors), dim=1, eps=1e-30)
        blocks = torch.split(self.questions, max(1, MAX_SCORES // max(len(unit), 1))) if len(self.questions) else ()
        first = self._first(unit.device)
        with _full_precision():
            right = [self._is_right(unit, rows.to(unit.device), first).cpu() for rows in blocks]
        hits = self.section[torch.cat(right)] if right else self.section
        self.correct = hits.bincount(minlength=len(self.sections)).to(self.correct.device)

    def _is_right(
        self,
        unit: Float[Tensor, "candidates dim"],
        rows: Int[Tensor, "questions four"],
        first: Int[Tensor, "candidates"],
    ) -> Bool[Tensor, "questions"]:
        scores = self.rule(unit, unit[rows[:, 0]], unit[rows[:, 1]], unit[rows[:, 2]])
        scores.scatter_(1, rows[:, :3], -torch.inf)
        if self.candidates.variants:
            variants = self._variants(rows)
            scores[variants[0], variants[1]] = -torch.inf
        best = scores.argmax(dim=1)
        is_allowed = scores.gather(1, best[:, None])[:, 0] > -torch.inf
        return (first[best] == rows[:, 3]) & is_allowed

    def _variants(self, rows: Int[Tensor, "questions four"]) -> Int[Tensor, "two excluded"]:
        """Question and candidate, for words that differ from one of the question in case alone."""
        found = [
            (number, place)
            for number, row in enumerate(rows[:, :3].tolist())
            for first in row
            for place in self.candidates.variants.get(first, ())
        ]
        return torch.tensor(found, dtype=torch.long, device=rows.device).view(-1, 2).T

    def _first(self, device: torch.device) -> Int[Tensor, "candidates"]:
        """Candidate -> the first one that reads the same in capitals."""
        first = torch.arange(len(self.candidates.ids))
        for place, places in self.candidates.variants.items():
            first[places] = place
        return first.to(device)

    def counts(self) -> dict[str, Count]:
        """By section, in the order of the questions."""
        return {
            section: Count(int(correct), answered, asked)
            for section, correct, answered, asked in zip(self.sections, self.correct, self.answered, self.asked)
        }

    def compute(self) -> dict[str, float]:
        """Accuracy over all questions under the empty name, over each kind where there are both, and by section.

        Each has its `coverage`; where no question can be answered there is no accuracy.
        """
        counts = self.counts()
        found = _shares("", list(counts.values()))
        if len(set(self.is_syntactic.values())) == 2:
            found |= _shares("semantic", [counts[name] for name, is_form in self.is_syntactic.items() if not is_form])
            found |= _shares("syntactic", [counts[name] for name, is_form in self.is_syntactic.items() if is_form])
        for section, count in counts.items():
            found |= _shares(section, [count])
        return found


def _shares(name: str, counts: Sequence[Count]) -> dict[str, float]:
    correct, answered, asked = (sum(getattr(one, part) for one in counts) for part in ("correct", "answered", "asked"))
    found = {name: correct / answered} if answered else {}
    return found | ({f"{name}/coverage".lstrip("/"): answered / asked} if asked else {})


@contextmanager
def _full_precision() -> Iterator[None]:
    """Products of float32 as such: TF32 has ten bits, and neighbours are nearer to each other than that."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
