"""A step is the sum over its targets divided by their global count, however it is cut into passes and ranks."""

import itertools
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lmlab.batch.sampler import StepSampler, share
from lmlab.batch.streams import Streams
from lmlab.metric.token_loss import TokenLoss
from lmlab.model.feedforward.experts import Experts
from lmlab.model.feedforward.mlp import Mlp
from lmlab.task.language_modeling import LanguageModeling, summed_loss
from lmlab.task.seeds import stream_seed
from lmlab.task.task import Plan
from lmlab.types import IGNORE, Batch, Extras, Output

VOCAB, DIM, SIZE, TIME = 11, 6, 12, 9


class Running(nn.Module):
    """tanh of the running sum of embeddings: the smallest causal model with a state."""

    causal, state_grows = True, False

    def __init__(self, dropout: float = 0.0, auxiliary: float = 0.0) -> None:
        super().__init__()
        self.dim, self.auxiliary = DIM, auxiliary
        self.embedding = nn.Embedding(VOCAB, DIM)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False) -> Output:
        total = self.dropout(self.embedding(inputs)).cumsum(1)
        total = total if state is None else total + state[0][:, None]
        losses = {"size": self.auxiliary * self.embedding.weight.square().mean()} if self.auxiliary else {}
        return Output(torch.tanh(total), (total[:, -1],), Extras(losses=losses))


class Ragged(Dataset[Batch]):
    """(step, micro) -> rows of unequal length, some of a single token, with holes in the targets."""

    def __init__(self, micro_size: int, *, rank: int = 0, world: int = 1) -> None:
        self.share = share(SIZE, micro_size, rank=rank, world=world)

    def whole(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        draw = torch.Generator().manual_seed(step)
        inputs, targets = (torch.randint(VOCAB, (SIZE, TIME), generator=draw) for _ in range(2))
        lengths = torch.randint(1, TIME + 1, (SIZE, 1), generator=draw)
        document = (torch.arange(TIME) < lengths).long()
        is_hole = torch.rand(SIZE, TIME, generator=draw) < 0.2
        return inputs, targets.masked_fill((document == 0) | is_hole, IGNORE), document

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        inputs, targets, document = self.whole(key[0])
        rows = self.share.rows(key[1])
        part = slice(rows.start, rows.stop)
        return Batch(inputs[part], targets[part], int((targets != IGNORE).sum()), document[part])


def made(num_micro: int = 1, *, seed: int = 3, clip: float | None = None, smoothing: float = 0.0, **model: float):
    torch.manual_seed(0)
    return LanguageModeling(
        model=Running(**model),
        head=nn.Linear(DIM, VOCAB),
        metric=lambda split: TokenLoss(num_tokens=10, num_bytes=10, num_words=5),
        plan=Plan(
            optimizer=lambda module: torch.optim.SGD(module.parameters(), lr=0.3),
            schedule=lambda step: 1.0,
            num_micro=num_micro,
            total_steps=5,
            seed=seed,
            gradient_clip=clip,
        ),
        label_smoothing=smoothing,
    )


def placed(task: LanguageModeling, *, rank: int = 0, world: int = 1) -> LanguageModeling:
    """The task as on one of several ranks."""
    strategy = SimpleNamespace(
        distributed_sampler_kwargs={"rank": rank, "num_replicas": world}, handles_gradient_accumulation=False
    )
    task.trainer = Mock(spec=pl.Trainer, world_size=world, global_rank=rank, strategy=strategy)
    return task


def gradients(micro_size: int, world: int = 1, **options: Any) -> tuple[list[Tensor], float]:
    """Of step 0, as Lightning makes them: each pass divided by the passes, and the ranks averaged."""
    sums, losses = None, []
    for rank in range(world):
        data = Ragged(micro_size, rank=rank, world=world)
        task = placed(made(data.share.num_micro, **options), rank=rank, world=world)
        for micro in range(data.share.num_micro):
            (task.training_step(data[0, micro], 0) / data.share.num_micro).backward()
        found = [parameter.grad / world for parameter in task.parameters()]
        sums = found if sums is None else [one + other for one, other in zip(sums, found, strict=True)]
        losses.append(float(task.latest["loss"]))
    return sums, sum(losses)


CUTS = [(12, 1), (4, 1), (1, 1), (6, 2), (3, 2), (2, 3), (1, 4)]


@pytest.mark.parametrize("options", [{}, {"auxiliary": 0.5}, {"smoothing": 0.1}], ids=str)
@pytest.mark.parametrize(("micro_size", "world"), CUTS)
def test_loss_and_gradient_do_not_depend_on_passes_and_ranks(micro_size, world, options):
    task = placed(made(**options))
    inputs, targets, document = Ragged(SIZE).whole(0)
    output = task.model(inputs, document)
    smoothing, auxiliary = options.get("smoothing", 0.0), sum(output.extras.losses.values())
    logits = task.head(output.states).flatten(0, 1)
    expected = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE, label_smoothing=smoothing)
    (expected + auxiliary).backward()
    found, loss = gradients(micro_size, world, **options)
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    for one, parameter in zip(found, task.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, rtol=1e-5, atol=1e-7)


def with_experts(num_micro: int = 1) -> LanguageModeling:
    """The task with a mixture of experts whose balance weighs much."""
    task = made(num_micro)
    expert = partial(Mlp, activation=nn.ReLU(), expansion=1.0, hidden_dim=5, bias=True)
    torch.manual_seed(0)
    part = Experts(
        dim=DIM, expert=expert, num_experts=3, num_shared=0, top_k=2, normalize=True, balance_weight=0.5,
        balance_within="sequence", z_weight=0.1, capacity_factor=None,
    )  # fmt: skip
    task.model = Mixing(part)
    return task


class Mixing(nn.Module):
    """Embeddings through a mixture of experts."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.embedding, self.part = nn.Embedding(VOCAB, DIM), part

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False) -> Output:
        states, losses = self.part(self.embedding(inputs), document != 0)
        return Output(states, None, Extras(losses=losses))


@pytest.mark.parametrize(("micro_size", "world"), [(4, 1), (1, 1), (3, 2)])
def test_the_balance_of_experts_does_not_depend_on_passes_and_ranks(micro_size, world):
    """Within a sequence it is a sum over sequences; over a batch (Switch) it would be another in every cut."""
    found: dict[tuple[int, int], tuple[list[Tensor], float]] = {}
    for cut in ((SIZE, 1), (micro_size, world)):
        gradients, balance = [], 0.0
        for rank in range(cut[1]):
            data = Ragged(cut[0], rank=rank, world=cut[1])
            task = placed(with_experts(data.share.num_micro), rank=rank, world=cut[1])
            for micro in range(data.share.num_micro):
                (task.training_step(data[0, micro], 0) / data.share.num_micro / cut[1]).backward()
            gradients.append([parameter.grad for parameter in task.parameters()])
            balance += float(task.latest["train/balance"])
        found[cut] = [sum(parts) for parts in zip(*gradients, strict=True)], balance
    whole, cut = found[SIZE, 1], found[micro_size, world]
    assert cut[1] == pytest.approx(whole[1], rel=1e-5)
    for one, other in zip(cut[0], whole[0], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


class Steps(pl.LightningDataModule):
    """Three steps of ragged batches, each rank its own."""

    def __init__(self, micro_size: int) -> None:
        super().__init__()
        self.micro_size = micro_size

    def train_dataloader(self) -> DataLoader:
        data = Ragged(self.micro_size, rank=self.trainer.global_rank, world=self.trainer.world_size)
        return DataLoader(data, batch_size=None, sampler=StepSampler(start=0, stop=3, num_micro=data.share.num_micro))


def trained(micro_size: int, devices: int = 1, **options: Any) -> list[Tensor]:
    """Weights after three steps of Lightning's own loop."""
    num_micro = SIZE // micro_size // devices
    task = made(num_micro, auxiliary=0.5, clip=0.4, **options)
    trainer = pl.Trainer(
        max_steps=3, accumulate_grad_batches=num_micro, accelerator="cpu", devices=devices, logger=False,
        strategy="ddp_fork" if devices > 1 else "auto", enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(task, datamodule=Steps(micro_size))
    return [parameter.detach() for parameter in task.parameters()]


@pytest.mark.parametrize(("micro_size", "devices"), [(4, 1), (3, 2)])
def test_training_with_lightning_does_not_depend_on_passes_and_ranks(micro_size, devices):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # forked ranks have no pool of threads
    try:
        for one, other in zip(trained(SIZE), trained(micro_size, devices), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    finally:
        torch.set_num_threads(threads)


def loss_at(task: LanguageModeling, *, step: int = 0, micro: int = 0, rank: int = 0) -> float:
    placed(task, rank=rank, world=3)
    task.step, task.micro = step, micro
    task._step_loss = torch.zeros(())
    return float(task.training_step(Ragged(SIZE)[0, 0], 0).detach())


def test_dropout_follows_from_seed_step_micro_and_rank_alone():
    keys = list(itertools.product((0, 1), (0, 1), (0, 1)))
    seen = {}
    for seed in (3, 4):
        task = made(2, seed=seed, dropout=0.5)
        for step, micro, rank in keys:
            seen[seed, step, micro, rank] = loss_at(task, step=step, micro=micro, rank=rank)
    assert len(set(seen.values())) == len(seen)
    task = made(2, seed=4, dropout=0.5)
    for step, micro, rank in reversed(keys):  # another order, another history of the global generator
        torch.manual_seed(step + 77)
        torch.rand(5)
        assert loss_at(task, step=step, micro=micro, rank=rank) == seen[4, step, micro, rank]


def test_streams_of_random_numbers_do_not_collide():
    grid = itertools.product((0, 1, 2, 42), range(200), range(16), range(8))
    seeds = [stream_seed(*key) for key in grid]
    assert len(set(seeds)) == len(seeds) == 4 * 200 * 16 * 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert stream_seed(1, 2) != stream_seed(2, 1)


def test_the_loss_of_a_step_without_targets_in_one_pass_is_finite():
    batch = Ragged(4)[0, 0]
    batch.targets.fill_(IGNORE)
    task = placed(made(3))
    assert task.training_step(batch, 0).item() == 0.0


def test_label_smoothing_is_for_training_alone():
    logits, targets = torch.randn(2, 5, VOCAB), torch.randint(VOCAB, (2, 5))
    targets[0, 3] = IGNORE
    log_probs = logits.log_softmax(-1)[targets != IGNORE]
    nll = -log_probs.gather(1, targets[targets != IGNORE][:, None]).sum()
    expected = 0.9 * nll - 0.1 * log_probs.mean(1).sum()
    torch.testing.assert_close(summed_loss(logits, targets, 0.1), expected)
    torch.testing.assert_close(summed_loss(logits, targets, 0.0), nll)
    task = placed(made(smoothing=0.1))
    plain = placed(made())
    for one in (task, plain):
        one.on_validation_epoch_start()
        one.validation_step(Ragged(SIZE)[0, 0], 0)
    assert task.metrics["val"].compute() == plain.metrics["val"].compute()


TOKENS = np.random.default_rng(1).integers(0, VOCAB, 97).astype(np.uint16)


def streams(*, micro_size: int = 6, seq_len: int = 5) -> Streams:
    return Streams(size=6, micro_size=micro_size, seq_len=seq_len, eval_size=1, num_workers=0, seed=0, eos=0)


def run_streams(task: LanguageModeling, steps: range, micro_size: int = 6) -> list[float]:
    data, losses = streams(micro_size=micro_size).train(TOKENS), []
    for step in steps:
        for micro in range(task.num_micro):
            task.training_step(data[step, micro], 0)
        losses.append(float(task.latest["loss"]))
        task.step, task.micro = task.step + 1, 0
    return losses


def test_carried_state_is_the_text_before_and_ends_at_the_epoch():
    # 97 tokens in 6 streams of 17: four chunks of at most 5 an epoch.
    task = placed(made())
    losses = run_streams(task, range(8))
    assert losses[:4] == losses[4:]
    whole = streams(seq_len=17).train(TOKENS)[0, 0]
    logits = task.head(task.model(whole.inputs).states)
    each = F.cross_entropy(logits.flatten(0, 1), whole.targets.flatten(), ignore_index=IGNORE, reduction="none")
    per_chunk = [part.sum() / (part != 0).sum() for part in each.reshape(6, 17).split(5, dim=1)]
    assert losses[:4] == pytest.approx([float(loss) for loss in per_chunk], rel=1e-5)


def test_backpropagation_ends_at_the_step_s_border():
    task = placed(made())
    data = streams().train(TOKENS)
    task.training_step(data[0, 0], 0)
    assert not task.carried.states[0][0].requires_grad
    task.step, task.micro = 1, 0
    task.training_step(data[1, 0], 0).backward()  # through a graph of the step before it would fail or differ
    state = placed(made()).model(data[0, 0].inputs).state[0].detach()
    other = made()
    logits = other.head(other.model(data[1, 0].inputs, None, None, (state,)).states)
    (summed_loss(logits, data[1, 0].targets, 0.0) / data[1, 0].num_targets).backward()
    for one, same in zip(task.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, same.grad)


@pytest.mark.parametrize("cut", range(1, 8))
def test_carried_state_survives_a_checkpoint(cut):
    whole = run_streams(placed(made(3)), range(8), micro_size=2)
    first, second = placed(made(3)), placed(made(3))
    losses = run_streams(first, range(cut), micro_size=2)
    saved: dict[str, Any] = {"loops": {"anything": 1}}
    first.on_save_checkpoint(saved)
    assert "loops" not in saved
    second.on_load_checkpoint(saved)
    assert (second.step, second.micro, second.tokens) == (first.step, 0, first.tokens)
    assert losses + run_streams(second, range(cut, 8), micro_size=2) == whole


def test_streams_go_on_with_another_number_of_passes():
    whole = run_streams(placed(made(3)), range(4), micro_size=2)
    first, second = placed(made(3)), placed(made(1))
    losses = run_streams(first, range(2), micro_size=2)
    saved: dict[str, Any] = {}
    first.on_save_checkpoint(saved)
    assert list(saved["lmlab"]["carried"]) == [0, 2, 4]  # by first row
    second.on_load_checkpoint(saved)
    assert losses + run_streams(second, range(2, 4), micro_size=6) == pytest.approx(whole, rel=1e-5)


def test_evaluation_with_carried_state_is_one_long_pass():
    task = placed(made())
    data = streams().eval(np.tile(TOKENS, 7))  # three chunks of 256 and less
    batches = [data[number] for number in range(len(data))]
    assert len(batches) == 3
    for _ in range(2):  # the second evaluation starts anew
        task.on_validation_epoch_start()
        for number, batch in enumerate(batches):
            task.validation_step(batch, number)
        found = task.metrics["val"].compute()["loss"]
        task.metrics["val"].reset()
        inputs, targets = (torch.cat([getattr(batch, name) for batch in batches], 1) for name in ("inputs", "targets"))
        logits = task.head(task.model(inputs).states)
        assert found == pytest.approx(float(summed_loss(logits, targets, 0.0)) / (97 * 7), rel=1e-4)


@pytest.mark.parametrize(("limit", "expected"), [(1.0, 679), (2, 512), (0.4, 256)])
def test_a_part_of_the_validation_batches_is_measured_by_its_own_tokens(limit, expected):
    task = made()
    seen = []
    task.metrics["val"].reset = lambda: seen.append(int(task.metrics["val"].tokens))
    data = streams().eval(np.tile(TOKENS, 7))
    trainer = pl.Trainer(
        accelerator="cpu", limit_val_batches=limit, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.validate(task, DataLoader(data, batch_size=None), verbose=False)
    assert seen[-1] == expected
    assert 0 < trainer.callback_metrics["val/loss"] < 10


@pytest.mark.parametrize("clip", [None, 0.01, 1e6])
def test_the_whole_gradient_is_clipped_and_its_norm_before_that_is_known(clip):
    task = placed(made(clip=clip))
    task.training_step(Ragged(SIZE)[0, 0], 0).backward()
    before = torch.cat([parameter.grad.flatten() for parameter in task.parameters()])
    task.configure_gradient_clipping(torch.optim.SGD(task.parameters(), lr=1.0))
    after = torch.cat([parameter.grad.flatten() for parameter in task.parameters()])
    assert float(task.latest["grad_norm"]) == pytest.approx(float(before.norm()), rel=1e-5)
    torch.testing.assert_close(
        after, before * (0.01 / float(before.norm()) if clip == 0.01 else 1.0), rtol=1e-3, atol=0
    )


def test_gradients_that_deepspeed_holds_are_left_to_it():
    task = placed(made(clip=0.01))
    task.trainer.strategy.handles_gradient_accumulation = True
    task.training_step(Ragged(SIZE)[0, 0], 0).backward()
    before = [parameter.grad.clone() for parameter in task.parameters()]
    task.configure_gradient_clipping(torch.optim.SGD(task.parameters(), lr=1.0))
    assert "grad_norm" not in task.latest
    assert all(torch.equal(one, parameter.grad) for one, parameter in zip(before, task.parameters()))
