"""Conversations, each in one row: `<eos> header text <eos> header text <eos> ...`; what is learned is what some roles say.

Targets are the text of these roles' turns and the `<eos>` behind it: nobody's words but theirs, and no header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from lmlab.batch.row_batches import Array, RowBatches
from lmlab.examples import Conversation, Rows
from lmlab.types import IGNORE, Batch, Mistake


@dataclass(frozen=True)
class Said:
    """A turn as ids."""

    header: Array
    text: Array
    is_learned: bool

    def __len__(self) -> int:
        return 1 + len(self.header) + len(self.text)


@dataclass(kw_only=True, eq=False)
class Conversations(RowBatches):
    """A conversation ends with its last reply; of a too long one the oldest turns are left out.

    Where not even the last reply and the turn before it have room, that turn loses its beginning, and then the reply its end.

    Args:
        packing: whether several conversations share a row.
        learned: roles whose words are targets.
        roles: by their numbers in `Rows.labels`.
    """

    example = Conversation

    packing: bool = field()
    learned: Sequence[str]
    roles: Sequence[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.is_learned = np.array([role in self.learned for role in self.roles], bool)

    def lengths(self, rows: Rows) -> Array:
        if not len(rows):
            return np.zeros(0, np.int64)
        sizes, _, last = self._turns(rows)
        ends = np.cumsum(sizes)
        found: Array = np.minimum(ends[last] - (ends - sizes)[self._kept(rows)], self.seq_len)
        return found

    def left_out(self, rows: Rows) -> tuple[int, int]:
        """How many conversations are too long, and how many turns they lose."""
        if not len(rows):
            return 0, 0
        _, first, _ = self._turns(rows)
        lost = self._kept(rows) - first
        return int((lost > 0).sum()), int(lost.sum())

    def without_target(self, rows: Rows) -> int:
        """How many conversations have no turn that is learned."""
        learned = np.concatenate([[0], np.cumsum(self.is_learned[rows.labels])])
        return int((np.diff(learned[np.concatenate([[0], rows.label_ends])]) == 0).sum())

    def targets(self, rows: Rows, chosen: Array) -> int:
        return sum(len(turn.text) + 1 for row in chosen.tolist() for turn in self._read(rows, row) if turn.is_learned)

    def batch(self, rows: Rows, chosen: Array) -> Batch:
        found = self._batch([self._read(rows, row) for row in chosen.tolist()])
        found.place = torch.as_tensor(np.asarray(chosen, np.int64))
        return found

    def of_conversations(
        self, conversations: Sequence[Sequence[tuple[Sequence[int], Sequence[int]]]], *, room: int
    ) -> Batch:
        """Headers and texts as ids, of which the last turn is to be written, in `room` tokens: its text is empty."""
        kept = []
        for turns in conversations:
            said = [Said(np.asarray(header, np.int64), np.asarray(text, np.int64), False) for header, text in turns]
            kept.append(_cut([*said[:-1], replace(said[-1], is_learned=True)], self.seq_len - room))
        return self._batch(kept)

    def _batch(self, conversations: list[list[Said]]) -> Batch:
        """Of none, a row without a target."""
        width = max((sum(map(len, turns)) for turns in conversations), default=1)
        shape = (max(len(conversations), 1), width)
        inputs, document = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        targets = np.full(shape, IGNORE, np.int64)
        if not conversations:
            inputs[0], document[0] = self.eos, 1
        for row, turns in enumerate(conversations):
            start = 0
            for turn in turns:
                end = start + len(turn)
                inputs[row, start:end] = [self.eos, *turn.header, *turn.text]
                if turn.is_learned:
                    targets[row, start + len(turn.header) : end] = [*turn.text, self.eos]
                start = end
            document[row, :start] = 1
        number = int((targets != IGNORE).sum())
        ids, wanted, of = map(torch.from_numpy, (inputs, targets, document))
        return Batch(ids, wanted, num_targets=number, document=of)

    def _turns(self, rows: Rows) -> tuple[Array, Array, Array]:
        """Tokens of every turn [turn], of each row its first turn and the last that is learned [example]."""
        texts = np.diff(rows.text_ends, prepend=0)
        sizes: Array = 1 + texts[0::2] + texts[1::2]
        self._check(int(texts[0::2].max()))
        last: Array = rows.row_ends // 2 - 1
        first: Array = np.concatenate([[0], last[:-1] + 1])
        newest = np.maximum.accumulate(np.where(self.is_learned[rows.labels], np.arange(len(sizes)), -1))[last]
        return sizes, first, np.where(newest >= first, newest, last)

    def _kept(self, rows: Rows) -> Array:
        """The first turn of each row that is kept: with the last reply at least the turn before it [example]."""
        sizes, first, last = self._turns(rows)
        ends = np.cumsum(sizes)
        fitting = np.searchsorted(ends - sizes, ends[last] - self.seq_len)
        kept: Array = np.clip(fitting, first, np.maximum(last - 1, first))
        return kept

    def _check(self, longest: int) -> None:
        if self.seq_len < 2 * (longest + 2):
            raise Mistake(
                f"batch.seq_len={self.seq_len} has no room for two turns with headers of {longest} tokens; "
                f"set it to {2 * (longest + 2)} or more, or shorten data.template"
            )

    def _read(self, rows: Rows, row: int) -> list[Said]:
        texts, learned = rows.texts_of(row), self.is_learned[rows.labels_of(row)]
        return _cut([Said(*pair) for pair in zip(texts[0::2], texts[1::2], learned.tolist())], self.seq_len)


def _cut(turns: list[Said], longest: int) -> list[Said]:
    """As many of the newest turns as have room, up to the last that is learned."""
    last = max((place for place, turn in enumerate(turns) if turn.is_learned), default=len(turns) - 1)
    first, size = last, len(turns[last])
    while first and (size := size + len(turns[first - 1])) <= longest:
        first -= 1
    if first < last or (last == 0 and size <= longest):
        return turns[first : last + 1]
    reply, before = turns[last], turns[max(last - 1, 0) : last]
    room = longest - (min(len(before[0]), longest // 2) if before else 0)
    reply = replace(reply, text=reply.text[: room - 1 - len(reply.header)])
    rest = longest - len(reply)
    return [*(_newest(turn, rest) for turn in before), reply]


def _newest(turn: Said, size: int) -> Said:
    """A turn without the beginning of its text."""
    left = size - 1 - len(turn.header)
    return replace(turn, text=turn.text[max(len(turn.text) - left, 0) :])
