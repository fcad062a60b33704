"""What holds for every option of the group."""

import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy

from lmlab import config, tree
from lmlab.command.check import plan
from lmlab.command.experiment import build_task, build_trainer, cores, resolve
from lmlab.command.rehearse import rehearse
from lmlab.strategy.recompute import layers, recompute
from lmlab.types import Mistake

OPTIONS = tree.options()["strategy"]
SEVERAL = [option for option in OPTIONS if option not in ("single", "deepspeed")]


@pytest.mark.parametrize("option", SEVERAL)
def test_lightning_s_own_launcher_is_never_entered(option, tiny, tmp_path):
    experiment = resolve(config.compose(tiny(f"strategy={option}", "trainer.devices=2", "optimizer=adamw")))
    assert experiment.has_ranks
    assert experiment.num_ranks == 2
    trainer = build_trainer(experiment, callbacks=[], plugins=[], folder=tmp_path)
    assert trainer.strategy.launcher is None
    assert trainer.strategy.cluster_environment.creates_processes_externally


@pytest.mark.parametrize("option", SEVERAL)
def test_the_command_s_process_can_build_it_without_a_group(option, tiny, tmp_path):
    experiment = resolve(config.compose(tiny(f"strategy={option}")))
    build_trainer(experiment, callbacks=[], plugins=[], folder=tmp_path)
    assert not torch.distributed.is_initialized()


def test_a_single_device_is_the_accelerator_s(tiny, tmp_path):
    trainer = build_trainer(resolve(config.compose(tiny())), callbacks=[], plugins=[], folder=tmp_path)
    assert isinstance(trainer.strategy, SingleDeviceStrategy)
    assert trainer.strategy.root_device == torch.device("cpu")


def test_nothing_is_asked_before_every_batch(tiny, tmp_path):
    trainer = build_trainer(resolve(config.compose(tiny())), callbacks=[], plugins=[], folder=tmp_path)
    assert trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor() is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.devices=2"], "set strategy=ddp"),
        (["strategy=ddp", "trainer.devices=3"], "batch.size=4 is not divisible by the 3 devices"),
        (
            ["strategy=ddp", "trainer.devices=2", "batch.size=12", "batch.micro_size=4"],
            "set batch.size to a multiple of 8",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(words, said, tiny):
    with pytest.raises(Mistake) as caught:
        _ = resolve(config.compose(tiny(*words))).batching
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("ddp", "2, DDP, 2 sequences of a pass on each"),
        ("fsdp", "2, FSDP, 2 sequences of a pass on each; weights, gradients and optimizer in pieces"),
        ("tensor_parallel", "2, TensorParallel, 4 sequences of a pass on each"),
    ],
)
def test_check_says_what_each_rank_does(option, said, tiny):
    experiment = resolve(config.compose(tiny(f"strategy={option}", "trainer.devices=2", "trainer.threads=null")))
    assert experiment.config.trainer.threads == max(1, cores() // 2)
    (line,) = (line for line in plan(experiment) if line.startswith("ranks"))
    assert said in line


HEADS = ("strategy=tensor_parallel", "trainer.devices=2")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=lstm"], "shares the heads and hidden units of a Transformer, and this model has none"),
        (["model/position=alibi"], "choose model/position=rotary"),
        (["model.attention.num_kv_heads=1"], "num_kv_heads=1 are not both divisible by trainer.devices=2"),
        (["model/attention=general"], "cuts model/attention=dot and scaled_dot, and this is general"),
        (["model/attention=additive"], "and this is additive; choose one of them, or strategy=fsdp"),
        (["model.attention.bias=true"], "set model.attention.bias=false"),
        (["model.feedforward.bias=true"], "set model.feedforward.bias=false"),
        (["model.feedforward.hidden_dim=7"], "model.feedforward.hidden_dim=7 is not divisible by trainer.devices=2"),
        (["ema.decay=0.9"], "ema.decay does not work with weights in pieces"),
    ],
)
def test_what_cannot_be_cut_is_refused_before_a_process_is_started(words, said, tiny):
    with pytest.raises(Mistake) as caught:
        rehearse(resolve(config.compose(tiny(*HEADS, *words))))
    assert said in str(caught.value)


@pytest.mark.parametrize("part", ["attention.heads", "feedforward"])
@pytest.mark.parametrize("feedforward", ["mlp", "swiglu"])
def test_the_rows_of_each_rank_stand_together(part, feedforward, tiny):
    words = (f"model/feedforward={feedforward}", "model.attention.num_kv_heads=2", "optimizer=adamw")
    model = build_task(resolve(config.compose(tiny(*words)))).model
    piece = model.blocks[0].get_submodule(part)
    entry, order = piece.cut(2)
    assert sorted(order.tolist()) == list(range(piece.get_submodule(entry).out_features))
    if part == "feedforward" and feedforward == "swiglu":  # gate and value of the first half, then of the second
        hidden = len(order) // 2
        first = [*range(hidden // 2), *range(hidden, hidden + hidden // 2)]
        assert order[: len(order) // 2].tolist() == first


@pytest.mark.parametrize("model", ["transformer", "lstm"])
def test_layers_computed_twice_have_the_same_gradients_with_dropout(model, tiny):
    gradients = []
    for is_recomputed in (False, True):
        words = (f"model={model}", "model.dropout=0.3", "model.num_layers=2", "optimizer=adamw")
        task = build_task(resolve(config.compose(tiny(*words))))
        assert len(layers(task.model)) == 2
        if is_recomputed:
            recompute(task.model)
        names = list(task.state_dict())
        torch.manual_seed(3)
        task.model(torch.arange(8)[None] % 5).states.square().sum().backward()
        gradients.append({name: one.grad for name, one in task.named_parameters() if one.grad is not None})
        assert list(task.state_dict()) == names
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.equal(one, gradients[1][name]) for name, one in gradients[0].items())
