"""Images with captions: drawn anew in training and whole in evaluation, equal captions with equal numbers, any share alike."""

import numpy as np
import pytest
import torch

from lmlab.batch.captioned import Captioned
from lmlab.examples import Pictures, Rows
from lmlab.types import IGNORE, Mistake

TEXTS = [[[3, 4], [5]], [[6, 7, 8]], [[3, 4], [6], [5]], [[9]], [[9], [5, 5, 5, 5]]]
EOS = 1


def rows(texts=TEXTS):
    flat = [ids for own in texts for ids in own]
    captions = Rows(
        ids=np.array([one for ids in flat for one in ids], np.uint16),
        text_ends=np.cumsum([len(ids) for ids in flat]),
        row_ends=np.cumsum([len(own) for own in texts]),
        labels=np.empty(0, np.int32),
        label_ends=np.zeros(len(texts), np.int64),
    )
    pixels = np.arange(len(texts) * 2 * 3, dtype=np.uint8).reshape(len(texts), 2, 3, 1)
    return Pictures(pixels, captions, np.array([1.0], np.float32), np.array([0.5], np.float32))


def made(*, pairs, **values):
    given = {
        "size": 4,
        "micro_size": None,
        "max_tokens": None,
        "seq_len": 9,
        "eval_size": 2,
        "num_workers": 0,
        "seed": 3,
    }
    return Captioned(**given | values, eos=EOS, pairs=pairs)


def test_equal_captions_have_equal_numbers_wherever_they_stand():
    numbers = made(pairs=True).items(rows()).numbers
    assert numbers.tolist() == [
        [0, 1, IGNORE],
        [2, IGNORE, IGNORE],
        [0, 3, 1],
        [4, IGNORE, IGNORE],
        [4, 5, IGNORE],
    ]


def test_evaluation_has_all_captions_of_an_image_to_be_found_and_its_first_to_be_written():
    batching = made(pairs=True)
    batch = batching.batch(batching.items(rows()), np.array([2, 1]))
    assert batch.inputs.tolist() == [[1, 3, 4, 0], [1, 6, 0, 0], [1, 5, 0, 0], [1, 6, 7, 8]]
    assert batch.targets.tolist() == [[0, 3, 1], [2, IGNORE, IGNORE]]
    assert batch.num_targets == 2
    assert torch.equal(batch.source[0], torch.from_numpy((rows().pixels[2].astype(np.float32) - 1) / 2))
    batching = made(pairs=False)
    batch = batching.batch(batching.items(rows()), np.array([2, 1]))
    assert batch.inputs.tolist() == [[1, 3, 4, 0], [1, 6, 7, 8]]
    assert batch.targets.tolist() == [[3, 4, 1, IGNORE], [6, 7, 8, 1]]
    assert (batch.num_targets, batch.place.tolist()) == (7, [2, 1])
    batches = batching.eval(rows())
    assert sorted(place for one in batches for place in one.place.tolist()) == [0, 1, 2, 3, 4]


def test_training_draws_a_caption_which_is_numbered_first():
    batching = made(pairs=True)
    steps, found = batching.train(rows()), set()
    texts = {0: [3, 4], 1: [5], 2: [6, 7, 8], 3: [6], 4: [9], 5: [5, 5, 5, 5]}
    for step in range(40):
        batch = steps[step, 0]
        for ids, document, numbers in zip(batch.inputs, batch.document, batch.targets.tolist()):
            own = ids[document > 0].tolist()
            assert own == [EOS, *texts[numbers[0]]]
            found.add((numbers[0], *sorted(numbers)))
    # each caption of each image came at some time
    assert len(found) == sum(map(len, TEXTS))


@pytest.mark.parametrize("pairs", [True, False])
def test_what_a_step_has_does_not_depend_on_who_computes_it(pairs):
    whole = made(pairs=pairs).train(rows())
    for step in range(5):
        batch = whole[step, 0]
        parts = [made(pairs=pairs).train(rows(), rank=rank, world=2)[step, 0] for rank in (0, 1)]
        assert {one.num_targets for one in parts} == {batch.num_targets}
        assert {one.num_tokens for one in parts} == {batch.num_tokens}
        real = [one.source[(one.targets != IGNORE).any(dim=1)] for one in parts]
        assert torch.equal(torch.cat(real), batch.source)
        own = [row.tolist() for one in parts for row in one.targets[(one.targets != IGNORE).any(dim=1)]]
        assert [[one for one in row if one != IGNORE] for row in own] == [
            [one for one in row if one != IGNORE] for row in batch.targets.tolist()
        ]
        expected = len(batch.source) if pairs else int((batch.targets != IGNORE).sum())
        assert batch.num_targets == expected


def test_a_long_caption_loses_its_end():
    batching = made(pairs=False, seq_len=3)
    batch = batching.of_texts([[5, 6, 7, 8]])
    assert (batch.inputs.tolist(), batch.targets.tolist()) == ([[1, 5, 6]], [[5, 6, 1]])
    assert batching.lengths(batching.items(rows())).tolist() == [3, 3, 3, 2, 3]


def test_images_alone_have_no_target():
    batch = made(pairs=True).of_images(np.zeros((2, 2, 3, 1), np.float32))
    assert batch.targets.tolist() == [[IGNORE], [IGNORE]]
    assert batch.num_targets == 0


def test_no_image_to_train_on_is_said():
    with pytest.raises(Mistake, match="the training split has no image"):
        made(pairs=True).train(rows([]))
