"""Rows, passes and random numbers follow from numbers alone."""

import itertools

import numpy as np
import pytest

from lmlab.batch.sampler import ENDLESS, StepSampler, generator, share
from lmlab.types import Mistake


@pytest.mark.parametrize(
    ("size", "micro_size", "world"), [(12, None, 1), (12, 4, 1), (12, 3, 2), (12, 1, 3), (7, 7, 1)]
)
def test_every_row_is_computed_once(size, micro_size, world):
    shares = [share(size, micro_size, rank=rank, world=world) for rank in range(world)]
    rows = [row for one in shares for micro in range(one.num_micro) for row in one.rows(micro)]
    assert sorted(rows) == list(range(size))


def test_a_pass_larger_than_the_rank_s_part_is_the_whole_part():
    assert share(12, 64).num_micro == 1
    assert share(12, 8, world=2).micro_size == 6


@pytest.mark.parametrize(
    ("size", "micro_size", "world", "sentence"),
    [
        (7, None, 2, "batch.size=7 is not divisible by the 2 devices; set batch.size to a multiple of 2"),
        (12, 5, 1, r"batch.size=12 is not divisible by batch.micro_size=5 .* set batch.size to a multiple of 5"),
        (12, 4, 2, "set batch.size to a multiple of 8"),
    ],
)
def test_sizes_that_do_not_divide_are_a_mistake(size, micro_size, world, sentence):
    with pytest.raises(Mistake, match=sentence):
        share(size, micro_size, world=world)


def test_random_numbers_follow_from_the_key():
    draws = {key: tuple(generator(*key).integers(0, 2**62, size=4)) for key in itertools.product(range(5), range(7))}
    assert len(set(draws.values())) == len(draws)
    assert all(tuple(generator(*key).integers(0, 2**62, size=4)) == draw for key, draw in draws.items())


def test_random_numbers_are_uniform_over_steps():
    starts = np.concatenate([generator(3, step).integers(0, 10, size=20) for step in range(500)])
    counts = np.bincount(starts, minlength=10)
    assert abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_steps_and_passes_come_in_order_from_where_the_run_stands():
    sampler = StepSampler(start=3, stop=5, num_micro=2)
    assert list(sampler) == [(3, 0), (3, 1), (4, 0), (4, 1)]
    assert len(sampler) == 4
    assert list(StepSampler(start=5, stop=5, num_micro=2)) == []
    assert len(StepSampler(start=9, stop=5, num_micro=2)) == 0


def test_a_run_without_an_end_has_a_length_that_python_allows():
    sampler = StepSampler(start=7, stop=None, num_micro=1024)
    assert len(sampler) == (ENDLESS - 7) * 1024
    assert list(itertools.islice(sampler, 1)) == [(7, 0)]


def test_neighbouring_steps_draw_different_numbers():
    drawn = [tuple(generator(0, step).integers(0, 2**62, size=12).tolist()) for step in range(50)]
    assert len({number for numbers in drawn for number in numbers}) == 50 * 12
