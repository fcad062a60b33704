"""Places for jobs."""

import os

import pytest

from lmlab.launcher.slots import slots
from lmlab.types import Mistake

ON_A_CPU = {"gpus": [], "devices": 1, "jobs_per_device": 1, "parallel": None, "threads": None}


def test_each_gpu_is_one_place_and_two_where_jobs_share_it():
    found = slots(**{**ON_A_CPU, "gpus": ["0", "3"], "jobs_per_device": 2})
    assert [slot.devices for slot in found] == [("0",), ("3",), ("0",), ("3",)]


def test_a_job_of_several_gpus_gets_its_own():
    found = slots(**{**ON_A_CPU, "gpus": ["0", "1", "2", "3", "4"], "devices": 2})
    assert [slot.devices for slot in found] == [("0", "1"), ("2", "3")]


def test_more_gpus_than_there_are_is_a_mistake():
    with pytest.raises(Mistake, match="set trainer"):
        slots(**{**ON_A_CPU, "gpus": ["0"], "devices": 2})


def test_on_a_cpu_jobs_share_the_cores_without_overlap():
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    found = slots(**{**ON_A_CPU, "parallel": number})
    cores = [core for slot in found for core in slot.cores]
    assert len(found) == number
    assert len(cores) == len(set(cores))


def test_more_jobs_than_cores_take_turns():
    assert len(slots(**{**ON_A_CPU, "parallel": 50})) == 50
