"""Recordings in batches: padding, what is left out of training, and that passes and ranks share a step without a rest."""

import numpy as np
import pytest
import torch

from lmlab.batch.spec_augment import SpecAugment
from lmlab.batch.speech import Speech
from lmlab.examples import Utterances
from lmlab.types import IGNORE, Mistake

LENGTHS = [5, 2, 7, 3, 3, 6, 9, 4]


def rows(lengths=LENGTHS):
    draw = np.random.default_rng(0)
    ids = [np.arange(1 + length % 3, dtype=np.uint16) for length in lengths]
    return Utterances(
        frames=draw.standard_normal((sum(lengths), 4)).astype(np.float16),
        frame_ends=np.cumsum(lengths, dtype=np.int64),
        ids=np.concatenate(ids),
        id_ends=np.cumsum([len(one) for one in ids], dtype=np.int64),
        mean=np.zeros(4, np.float32),
        scale=np.ones(4, np.float32),
    )


AUGMENT = SpecAugment(time_masks=1, time_width=3, time_share=0.6, frequency_masks=1, frequency_width=2)


def made(**values):
    given = {"size": 4, "micro_size": None, "max_tokens": None, "seq_len": 8, "eval_size": 3, "num_workers": 0}
    return Speech(**given | {"augment": None, "seed": 0} | values)


def test_features_are_padded_behind_and_targets_with_what_is_ignored():
    batch = made().batch(rows(), np.array([1, 0]))
    assert batch.inputs.shape == (2, 5, 4)
    assert batch.document.tolist() == [[1, 1, 0, 0, 0], [1] * 5]
    assert batch.inputs[0, 2:].abs().sum() == 0
    assert batch.targets.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert made().batch(rows(), np.array([3])).targets.tolist() == [[0]]
    assert made().batch(rows(), np.array([0, 3])).targets[1].tolist() == [0, IGNORE, IGNORE]


def test_no_recording_is_a_frame_without_a_target():
    batch = made().batch(rows(), np.array([], dtype=np.int64))
    assert batch.num_targets == 0
    assert (batch.targets == IGNORE).all()


def test_each_epoch_trains_every_recording_that_is_not_too_long_once():
    batching = made(micro_size=1)
    steps = batching.train(rows())
    assert batching.steps_per_epoch(rows()) == 2
    for epoch in range(2):
        keys = [(step, micro) for step in (2 * epoch, 2 * epoch + 1) for micro in range(4)]
        passes = [steps[key] for key in keys]
        found = sorted(int(one.document.sum()) for one in passes if (one.targets != IGNORE).any())
        assert found == sorted(length for length in LENGTHS if length <= 8)
        assert {one.num_targets for one in passes} == {4, 3}


def test_evaluation_sees_every_recording_however_long():
    places = torch.cat([batch.place for batch in made().eval(rows())])
    assert sorted(places.tolist()) == list(range(len(LENGTHS)))


def test_what_is_left_out_follows_from_seed_step_and_place_however_many_passes_and_ranks_there_are():
    whole = made(augment=AUGMENT).train(rows())
    for world, micro_size in ((1, 2), (2, 1), (4, 1)):
        batching = made(augment=AUGMENT, micro_size=micro_size)
        parts = [batching.train(rows(), rank=rank, world=world) for rank in range(world)]
        for step in (0, 5):
            expected = {tuple(row[: int(real.sum())].flatten().tolist()) for row, real in _pairs(whole[step, 0])}
            found = {
                tuple(row[: int(real.sum())].flatten().tolist())
                for micro in range(4 // (world * micro_size))
                for part in parts
                for row, real in _pairs(part[step, micro])
            }
            assert {one for one in found if any(one) or len(one) > 4} == {
                one for one in expected if any(one) or len(one) > 4
            }


def _pairs(batch):
    return zip(batch.inputs, batch.document)


def test_other_steps_and_seeds_leave_out_other_parts_and_evaluation_none():
    batching, plain = made(augment=AUGMENT, size=1), made(size=1)
    masked = [tuple((batching.train(rows())[step, 0].inputs == 0).flatten().tolist()) for step in range(0, 70, 7)]
    assert len({*masked}) > 3
    torch.testing.assert_close(next(iter(batching.eval(rows()))).inputs, next(iter(plain.eval(rows()))).inputs)


def test_masks_are_spans_of_times_and_bands_within_their_widths():
    for seed in range(50):
        found = AUGMENT(np.ones((10, 6), np.float32), np.random.default_rng(seed)) == 0
        times, bands = found.all(axis=1), found.all(axis=0)
        assert times.sum() <= 3
        assert bands.sum() <= 2
        assert (found == (times[:, None] | bands[None])).all()
        assert np.abs(np.diff(times.astype(int), prepend=0, append=0)).sum() in (0, 2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"seq_len": 1}, "batch.seq_len=1 frames is shorter than all recordings; set it to 2 or more"),
        ({"max_tokens": 7}, "batch.max_tokens=7 has no room"),
    ],
)
def test_what_has_no_room_is_said(values, said):
    with pytest.raises(Mistake, match=said):
        made(**values).train(rows())
    with pytest.raises(Mistake, match=r"batch\.augment has a number below 0"):
        SpecAugment(time_masks=-1, time_width=3, time_share=0.6, frequency_masks=1, frequency_width=2)
