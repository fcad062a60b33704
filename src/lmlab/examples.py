"""Examples: what a data source yields, one type for each kind of thing that tasks are about; and a split of them as ids.

Each type gives its `texts`, so that a tokenizer can be trained on the examples of any source, and its `labels`, if any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, no_type_check

import numpy as np


@dataclass(frozen=True)
class Labelled:
    """A text, or a pair of texts, and what it was labelled with."""

    texts: tuple[str, ...]
    """One, or the two of a pair."""
    labels: tuple[str, ...]
    """One; where several may hold at once, any number."""


@dataclass(frozen=True)
class Tagged:
    """A sentence, and a tag for each of its words."""

    words: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags."""
        return self.tags


@dataclass(frozen=True)
class SourceTarget:
    """A text, and what is to be written for it: its translation, its summary, the answer to it."""

    source: str
    targets: tuple[str, ...]
    """Each of them is right: the first is learned, and what is written is held against all."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The source, then the targets."""
        return (self.source, *self.targets)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What a model is shown."""
        return (self.source,)

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()


class Answer(NamedTuple):
    """What answers a question, and where in the context it begins."""

    text: str
    start: int | None
    """In characters; None where the context does not hold it: then it counts in evaluation alone."""


@dataclass(frozen=True)
class Question:
    """A question about a text."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    """Each of them is right; none where the context does not say."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The question, then the context."""
        return (self.question, self.context)

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()


@dataclass(frozen=True)
class Turn:
    """What one side of a conversation says."""

    role: str
    header: str
    """What tells a model whose words follow, such as `user: `."""
    text: str


@dataclass(frozen=True)
class Conversation:
    """What several say in turn."""

    turns: tuple[Turn, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Header and text of each turn."""
        return tuple(text for turn in self.turns for text in (turn.header, turn.text))

    @property
    def labels(self) -> tuple[str, ...]:
        """The role of each turn."""
        return tuple(turn.role for turn in self.turns)


@no_type_check
@dataclass(frozen=True)
class Speech:
    """A recording, and what was said."""

    text: str
    sample_rate: int
    read: Callable[[], np.ndarray]
    """The samples, float32 [time] within -1 and 1: from the file, when they are needed."""

    @property
    def texts(self) -> tuple[str, ...]:
        """What was said."""
        return (self.text,)

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()


@no_type_check
@dataclass(frozen=True)
class Captioned:
    """An image, and texts of which each says what is in it."""

    name: str
    """For messages and lists."""
    texts: tuple[str, ...]
    """At least one."""
    pixels: np.ndarray
    """uint8 [height, width, channels]."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What stands for the image where examples are compared: a hash of its pixels."""
        content = str(self.pixels.shape).encode() + self.pixels.tobytes()
        return (hashlib.blake2b(content, digest_size=16).hexdigest(),)

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()


@no_type_check
@dataclass(frozen=True)
class Rows:
    """The examples of a split as ids, memory-mapped: what batches are made of."""

    ids: np.ndarray
    """Of all texts, one after another, [token]."""
    text_ends: np.ndarray
    """Where each text ends in `ids`, [text]."""
    row_ends: np.ndarray
    """Where the texts of each example end in `text_ends`, [example]."""
    labels: np.ndarray
    """Of all examples, by their place among the labels of the training split, [label]."""
    label_ends: np.ndarray
    """Where those of each example end in `labels`, [example]."""

    def __len__(self) -> int:
        return len(self.row_ends)

    def texts_of(self, row: int) -> list[np.ndarray]:
        """The ids of each text of an example."""
        first, last = self.row_ends[row - 1] if row else 0, self.row_ends[row]
        ends = self.text_ends[first:last]
        starts = [self.text_ends[first - 1] if first else 0, *ends[:-1]]
        return [self.ids[start:end] for start, end in zip(starts, ends)]

    def labels_of(self, row: int) -> np.ndarray:
        """The labels of an example."""
        return self.labels[self.label_ends[row - 1] if row else 0 : self.label_ends[row]]

    def lengths(self) -> np.ndarray:
        """Tokens of all texts of each example, [example]."""
        ends = self.text_ends[self.row_ends - 1] if len(self) else self.row_ends
        return np.diff(ends, prepend=0)

    def counts(self) -> np.ndarray:
        """Texts of each example, [example]."""
        return np.diff(self.row_ends, prepend=0)


@no_type_check
@dataclass(frozen=True)
class QuestionRows:
    """The questions of a split as ids, with where each token of a context stands in it: what batches are made of."""

    question_ids: np.ndarray
    """Of all questions, one after another, [token]."""
    question_ends: np.ndarray
    """Where each question ends in `question_ids`, [question]."""
    context_ids: np.ndarray
    """Of all contexts, one after another, [token]."""
    places: np.ndarray
    """Where the text of each of these begins and ends in its context, in characters, [token, 2]; equal for white space."""
    context_ends: np.ndarray
    """Where each context ends in `context_ids`, [context]."""
    context_of: np.ndarray
    """The context of each question, [question]."""
    answers: np.ndarray
    """First and last token of all answers that stand in their context, [answer, 2]."""
    answer_ends: np.ndarray
    """Where those of each question end in `answers`, [question]."""
    is_answerable: np.ndarray
    """Whether the question has an answer, be it one that does not stand in the context, [question]."""

    def __len__(self) -> int:
        return len(self.question_ends)

    def question(self, row: int) -> np.ndarray:
        """The ids of a question."""
        return self.question_ids[self.question_ends[row - 1] if row else 0 : self.question_ends[row]]

    def context(self, row: int) -> slice:
        """Where the context of a question stands in `context_ids` and `places`."""
        number = self.context_of[row]
        return slice(int(self.context_ends[number - 1]) if number else 0, int(self.context_ends[number]))

    def answers_of(self, row: int) -> np.ndarray:
        """First and last token of each answer of a question that stands in its context, [answer, 2]."""
        return self.answers[self.answer_ends[row - 1] if row else 0 : self.answer_ends[row]]

    def is_known(self) -> np.ndarray:
        """Whether it is known what a model should say: no answer, or one that stands in the context, [question]."""
        found: np.ndarray = ~self.is_answerable | (np.diff(self.answer_ends, prepend=0) > 0)
        return found

    def question_lengths(self) -> np.ndarray:
        """Tokens of each question, [question]."""
        return np.diff(self.question_ends, prepend=0)

    def context_lengths(self) -> np.ndarray:
        """Tokens of the context of each question, [question]."""
        found: np.ndarray = np.diff(self.context_ends, prepend=0)[self.context_of]
        return found

    def characters(self, row: int, first: int, last: int) -> tuple[int, int]:
        """Where the tokens `first` to `last` of the context of a question begin and end in it."""
        places = self.places[self.context(row)]
        return int(places[first, 0]), int(places[last, 1])


@no_type_check
@dataclass(frozen=True)
class Known:
    """What a model of rows is built for."""

    vocab_size: int
    labels: tuple[str, ...]
    """Of the training split, sorted."""


@no_type_check
@dataclass(frozen=True)
class Utterances:
    """The recordings of a split as features with the ids of their transcripts, memory-mapped: what batches are made of."""

    frames: np.ndarray
    """Of all recordings, one after another, float16 [frame, feature]."""
    frame_ends: np.ndarray
    """Where each recording ends in `frames`, [example]."""
    ids: np.ndarray
    """Of all transcripts, one after another, [token]."""
    id_ends: np.ndarray
    """Where each transcript ends in `ids`, [example]."""
    mean: np.ndarray
    """Of each feature over the training split, float32 [feature]."""
    scale: np.ndarray
    """One over its standard deviation there, float32 [feature]."""

    def __len__(self) -> int:
        return len(self.frame_ends)

    def features_of(self, row: int) -> np.ndarray:
        """Of a recording, with mean 0 and variance 1 over the training split, float32 [time, feature]."""
        start = self.frame_ends[row - 1] if row else 0
        found: np.ndarray = (self.frames[start : self.frame_ends[row]].astype(np.float32) - self.mean) * self.scale
        return found

    def ids_of(self, row: int) -> np.ndarray:
        """Of a transcript."""
        return self.ids[self.id_ends[row - 1] if row else 0 : self.id_ends[row]]

    def lengths(self) -> np.ndarray:
        """Frames of each recording, [example]."""
        return np.diff(self.frame_ends, prepend=0)

    def id_lengths(self) -> np.ndarray:
        """Tokens of each transcript, [example]."""
        return np.diff(self.id_ends, prepend=0)


@dataclass(frozen=True)
class Heard:
    """What a model of speech is built for, and how its features are made even."""

    vocab_size: int
    mean: tuple[float, ...]
    """Of each feature over the training split."""
    scale: tuple[float, ...]
    """One over its standard deviation."""

    @property
    def num_features(self) -> int:
        """Of a frame."""
        return len(self.mean)


@no_type_check
@dataclass(frozen=True)
class Pictures:
    """The images of a split with their captions as ids, memory-mapped: what batches are made of."""

    pixels: np.ndarray
    """Of all images, uint8 [example, height, width, channels]."""
    captions: Rows
    """An example for each image, a text for each of its captions."""
    mean: np.ndarray
    """Of each channel over the training split, float32 [channels]."""
    scale: np.ndarray
    """One over its standard deviation there, float32 [channels]."""

    def __len__(self) -> int:
        return len(self.pixels)

    def images_of(self, chosen: np.ndarray) -> np.ndarray:
        """Some images, with mean 0 and variance 1 over the training split, float32 [chosen, height, width, channels]."""
        found: np.ndarray = (self.pixels[chosen].astype(np.float32) - self.mean) * self.scale
        return found


@dataclass(frozen=True)
class Seen:
    """What a model of images is built for, and how their pixels are made even."""

    vocab_size: int
    shape: tuple[int, int, int]
    """Height, width and channels of every image."""
    mean: tuple[float, ...] = ()
    """Of each channel over the training split."""
    scale: tuple[float, ...] = ()
    """One over its standard deviation."""
