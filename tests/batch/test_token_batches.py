"""The loader gives the batch of each step, with any number of workers, from any step."""

import itertools
import os
import signal

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lmlab.batch.sampler import ignore_signals
from lmlab.batch.streams import Streams
from lmlab.batch.token_batches import TokenBatches
from lmlab.batch.windows import Windows

TOKENS = {"train": np.arange(311, dtype=np.uint16), "val": np.arange(50, dtype=np.uint16), "test": np.arange(0)}


def data(make, *, num_workers: int = 0, start: int = 0, stop: int | None = 9, **changes) -> TokenBatches:
    batching = make(size=6, micro_size=2, seq_len=7, eval_size=2, num_workers=num_workers, seed=1, eos=999)
    return TokenBatches(tokens=TOKENS, batching=batching, start_step=start, total_steps=stop, **changes)


def fields(batch) -> tuple:
    parts = (batch.inputs, batch.targets, batch.document, batch.rows)
    return (*(None if part is None else part.tolist() for part in parts), batch.num_targets, batch.is_start)


@pytest.mark.parametrize("make", [Windows, Streams])
def test_workers_change_nothing(make):
    alone, helped = (
        [fields(batch) for batch in data(make, num_workers=number).train_dataloader()] for number in (0, 2)
    )
    assert len(alone) == 27
    assert alone == helped


@pytest.mark.parametrize("make", [Windows, Streams])
def test_a_resumed_run_gets_the_batches_that_were_left(make):
    whole = [fields(batch) for batch in data(make).train_dataloader()]
    assert [fields(batch) for batch in data(make, start=4).train_dataloader()] == whole[4 * 3 :]
    assert list(data(make, start=9).train_dataloader()) == []


def test_making_batches_leaves_the_global_random_numbers_alone_where_it_counts():
    # The loader may draw from them when it is made; the batches themselves are the same from any state of theirs.
    batches = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        batches.append([fields(batch) for batch in data(Windows).train_dataloader()])
    assert batches[0] == batches[1]


def test_a_run_without_an_end_goes_on():
    stream = iter(data(Windows, stop=None, start=10**6).train_dataloader())
    assert len(list(itertools.islice(stream, 7))) == 7


def test_overfitting_repeats_the_first_step_whatever_the_step():
    whole = [fields(batch) for batch in data(Windows, overfit=True, start=2, stop=4).train_dataloader()]
    first = [fields(batch) for batch in data(Windows, stop=1).train_dataloader()]
    assert whole == first * 2


def test_an_empty_split_has_no_batches():
    assert list(data(Windows).test_dataloader()) == []
    assert len(list(data(Windows).val_dataloader())) == 4


def test_workers_survive_the_signals_that_stop_a_run():
    batches = DataLoader(range(1000), batch_size=None, num_workers=1, worker_init_fn=ignore_signals)
    stream = iter(batches)
    assert next(stream) == 0
    (worker,) = stream._workers
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(worker.pid, number)
    assert list(stream) == list(range(1, 1000))
