"""What a trained tagger makes of sentences."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from lmlab.examples import Rows
from lmlab.tokenizer.trained import Trained
from lmlab.types import IGNORE

Words = Sequence[str]


@torch.no_grad()
def best_tags(task: Any, batching: Any, tokenizer: Trained, sentences: Sequence[Words]) -> list[list[int]]:
    """The number of the best tag of each word of each sentence.

    Args:
        task: model and head under these names.
        batching: what it was trained with: a long sentence is cut as in training.
    """
    was_training = task.training
    task.eval()
    numbers, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in batching.eval(_rows(tokenizer, sentences)):
        states = task.model(batch.inputs.to(task.device), batch.document.to(task.device)).states
        is_word = batch.targets != IGNORE
        numbers.append(task.head(states).best(is_word.to(task.device)).cpu()[is_word].numpy())
        places.append(batch.place[is_word].numpy())
    task.train(was_training)
    found = iter(np.concatenate(numbers)[np.argsort(np.concatenate(places))].tolist())
    return [[next(found) for _ in words] for words in sentences]


def _rows(tokenizer: Trained, sentences: Sequence[Words]) -> Rows:
    """Sentences that nobody has tagged; each word has the tag 0."""
    encoded = tokenizer.encode_batch([word for words in sentences for word in words])
    lengths = np.array([len(words) for words in sentences], np.int64)
    return Rows(
        ids=np.array([index for ids in encoded for index in ids], np.int64),
        text_ends=np.cumsum([len(ids) for ids in encoded], dtype=np.int64),
        row_ends=np.cumsum(lengths),
        labels=np.zeros(len(encoded), np.int32),
        label_ends=np.cumsum(lengths),
    )


def side_by_side(words: Words, said: Sequence[str], true: Sequence[str]) -> Iterator[str]:
    """`word/tag`, and where the tag is wrong the right one behind it."""
    for word, tag, right in zip(words, said, true):
        yield f"{word}/{tag}" if tag == right else f"{word}/{tag}≠{right}"
