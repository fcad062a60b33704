"""Questions with contexts: `<eos>` question `<eos>` context `<eos>`, long contexts in windows (Devlin et al. 2019, 4.2-4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
import torch

from lmlab.batch.row_batches import Array, RowBatches
from lmlab.examples import Question as Example
from lmlab.examples import QuestionRows
from lmlab.types import IGNORE, Batch, Mistake

ENDS = 3
"""`<eos>` before, between and behind."""

START, END = 1, 2
"""What is added up at a target's places: an answer of one token has both."""


@no_type_check
@dataclass(frozen=True)
class Windows:
    """What batches are made of: questions, each with a part of its context; all of them, in order."""

    rows: QuestionRows
    row: np.ndarray
    """The question of each, [window]."""
    first: np.ndarray
    """The first token of its part, counted from the beginning of the context, [window]."""
    end: np.ndarray
    """The token behind its last, [window]."""
    length: np.ndarray
    """Its tokens with question and `<eos>`, [window]."""

    def __len__(self) -> int:
        return len(self.row)


@dataclass(kw_only=True, eq=False)
class Questions(RowBatches):
    """Targets [batch, time] are IGNORE where no answer can begin or end: at the question, at white space, at `<eos>`.

    Elsewhere they are 0, and START and END are added where the answer begins and ends. Both are at the first place where the
    window does not hold the answer, and nowhere where nobody knows it. In evaluation `place` is [batch, 2]: the question, and
    what is to be added to a place of the input to have that of a token of the context.

    Args:
        question_len: tokens of a question at most; of longer ones the end is left out.
        stride: tokens from the beginning of a window to that of the next.
    """

    example = Example

    question_len: int
    stride: int

    def __post_init__(self) -> None:
        super().__post_init__()
        least = self.question_len + ENDS + 1
        if self.question_len < 1:
            raise Mistake(f"batch.question_len={self.question_len} leaves nothing of a question; set it to e.g. 64")
        if self.seq_len < least:
            raise Mistake(
                f"batch.seq_len={self.seq_len} has no room for a context behind a question of "
                f"batch.question_len={self.question_len}; set it to {least} or more"
            )
        if not 1 <= self.stride <= self.seq_len - self.question_len - ENDS:
            raise Mistake(
                f"batch.stride={self.stride} would leave tokens between windows unread; set it to 1 ... "
                f"{self.seq_len - self.question_len - ENDS}, which is batch.seq_len - batch.question_len - {ENDS}"
            )

    def items(self, rows: QuestionRows) -> Windows:
        """All questions with all parts of their contexts."""
        question = np.minimum(rows.question_lengths(), self.question_len)
        context = rows.context_lengths()
        room = self.seq_len - ENDS - question
        number = 1 + -(-np.maximum(context - room, 0) // self.stride)
        row = np.repeat(np.arange(len(rows)), number)
        first = (np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)) * self.stride
        end = np.minimum(first + room[row], context[row])
        return Windows(rows, row, first, end, question[row] + end - first + ENDS)

    def lengths(self, rows: Windows) -> Array:
        found: Array = rows.length
        return found

    def targets(self, rows: Windows, chosen: Array) -> int:
        return max(1, int(rows.rows.is_known()[rows.row[chosen]].sum()))

    def batch(self, rows: Windows, chosen: Array) -> Batch:
        """Some windows as one batch, padded to the longest; of none, a row without a target."""
        shape = len(chosen) or 1, int(rows.length[chosen].max()) if len(chosen) else 1
        inputs, document = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        targets, place = np.full(shape, IGNORE, np.int64), np.zeros((shape[0], 2), np.int64)
        if not len(chosen):
            inputs[0, 0], document[0, 0] = self.eos, 1
        for number, window in enumerate(chosen):
            row, first, end = int(rows.row[window]), int(rows.first[window]), int(rows.end[window])
            question, context = rows.rows.question(row)[: self.question_len], rows.rows.context(row)
            start, length = len(question) + 2, int(rows.length[window])
            inputs[number, [0, start - 1, length - 1]] = self.eos
            inputs[number, 1 : start - 1] = question
            inputs[number, start : length - 1] = rows.rows.context_ids[context][first:end]
            document[number, :length] = 1
            places = rows.rows.places[context][first:end]
            targets[number, start : length - 1][places[:, 0] < places[:, 1]] = 0
            self._answer(targets[number], rows, int(window), start - first)
            place[number] = row, first - start
        return Batch(
            torch.from_numpy(inputs),
            torch.from_numpy(targets),
            num_targets=self.targets(rows, chosen),
            document=torch.from_numpy(document),
            place=torch.from_numpy(place),
        )

    def _answer(self, targets: Array, rows: Windows, window: int, shift: int) -> None:
        """Where it begins and ends in a window, of several answers the first that stands in it."""
        row = int(rows.row[window])
        targets[0] = 0
        answers = rows.rows.answers_of(row)
        inside = answers[(answers[:, 0] >= rows.first[window]) & (answers[:, 1] < rows.end[window])]
        if len(inside):
            targets[inside[0, 0] + shift] += START
            targets[inside[0, 1] + shift] += END
        elif len(answers) or not rows.rows.is_answerable[row]:
            targets[0] = START + END
