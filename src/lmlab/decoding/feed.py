"""Texts that a model reads token by token: the prompts in one pass, then constant work per token, by its state.

Prompts of different lengths stand at the right of their rows, padding before them, so that new text begins in one column.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.predictions import asked, predicted
from lmlab.types import Memory, Mistake, SequenceModel, State

Head = Callable[[Tensor], Tensor]
"""States [batch, time, dim] -> logits [batch, time, vocab]."""


class Feed:
    """A batch of texts, what the model's state holds of each, and when that is too much.

    A text of which the state holds `context_size` tokens is encoded anew from its newest half. That is decided for each row
    by itself: the others are encoded again as they are, so that a row does not depend on those beside it.
    """

    def __init__(
        self,
        model: SequenceModel,
        head: Head,
        prompt_ids: Int[Tensor, "batch time"],
        document: Int[Tensor, "batch time"] | None,
        *,
        memory: Memory | None,
        context_size: int | None,
        max_tokens: int,
    ) -> None:
        """
        Args:
            document: 0 for padding, which stands before the text alone, 1 for text; None: no row is padded.
            context_size: None for a model whose state does not grow (recurrent) or has no end.
            max_tokens: how often `append` is called at most.
        """
        batch, time = prompt_ids.shape
        if time == 0:
            raise Mistake("the prompt is empty; set prompt to some text")
        self.model, self.head, self.memory, self.context_size = model, head, memory, context_size
        self.state: State = None
        self.size = 0
        """Positions in the state, padding among them."""
        self.end = time
        self.begin = prompt_ids.new_zeros(batch) if document is None else _padding(document)
        """[batch]: the column of each row's first token that the state holds."""
        known = prompt_ids.masked_fill(torch.arange(time, device=prompt_ids.device) < self.begin[:, None], -1)
        self.buffer = torch.cat([known, prompt_ids.new_zeros(batch, max_tokens)], dim=1)

    @property
    def ids(self) -> Int[Tensor, "batch time"]:
        """All texts so far, -1 where there is padding."""
        return self.buffer[:, : self.end]

    def logits(self) -> Float[Tensor, "batch vocab"]:
        """Of what follows the last token of each text; each token is read once."""
        if self.state is None or self.size == self.context_size:
            output = self.model(*self._opening(), memory=self.memory, **asked(self.head))
        else:
            newest = self.buffer[:, self.end - 1 : self.end]
            output = self.model(newest, memory=self.memory, state=self.state, **asked(self.head))
            self.size += 1
        self.state = output.state
        source = None if self.memory is None else self.memory.source
        return predicted(self.head, output, source, last=True)[:, 0]

    def append(self, tokens: Int[Tensor, " batch"]) -> None:
        """One more token for each text."""
        self.buffer[:, self.end] = tokens
        self.end += 1

    def choose(self, rows: Int[Tensor, " chosen"]) -> None:
        """Goes on with these rows, any number of times each."""
        self.reorder(rows)
        if self.memory is not None:
            state = select(self.memory.state, rows)
            states, document = select(self.memory.states, rows), select(self.memory.document, rows)
            source = select(self.memory.source, rows)
            self.memory = Memory(states, document, state, source=source)

    def reorder(self, rows: Int[Tensor, " batch"]) -> None:
        """The same where each new row has the memory of the old one in its place."""
        self.buffer, self.begin = self.buffer.index_select(0, rows), self.begin.index_select(0, rows)
        self.state = select(self.state, rows)

    def _opening(self) -> tuple[Tensor, Tensor | None]:
        """What is encoded without a state: the window of each text, and the documents if they are not equally long."""
        if self.context_size is not None and self.state is None:
            self.begin = self.begin.clamp(min=self.end - self.context_size)
        elif self.context_size is not None:
            is_full = self.begin == self.end - 1 - self.context_size
            self.begin = torch.where(is_full, self.end - max(1, self.context_size // 2), self.begin)
        first, last = int(self.begin.min()), int(self.begin.max())
        window = self.buffer[:, first : self.end]
        self.size = window.shape[1]
        if first == last:
            return window, None
        column = torch.arange(first, self.end, device=window.device)
        return window.clamp(min=0), (column >= self.begin[:, None]).long()


def select(state: State, rows: Int[Tensor, " chosen"]) -> State:
    """These rows of nested tuples of tensors, batch first; None is none."""
    if state is None:
        return None
    return state.index_select(0, rows) if isinstance(state, Tensor) else tuple(select(part, rows) for part in state)


def _padding(document: Int[Tensor, "batch time"]) -> Int[Tensor, " batch"]:
    """How many positions stand before each text."""
    is_text = document == 1
    ends_well = is_text[:, -1].all() and (document[:, 1:] >= document[:, :-1]).all()
    assert ends_well, "a prompt's document is 0 for padding, which stands before the text alone, and 1 for text"
    return (~is_text).sum(dim=1)
