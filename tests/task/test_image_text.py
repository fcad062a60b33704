"""Images and captions: the loss of a step, alone and over ranks; every model as reader and as writer of captions."""

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lmlab import config
from lmlab.command.experiment import build_model
from lmlab.examples import Seen
from lmlab.head.contrastive import Contrastive
from lmlab.model.bag import Bag
from lmlab.task.image_text import belong, pair_losses
from lmlab.types import IGNORE

NUMBERS = torch.tensor([[0, 1], [2, IGNORE], [1, 0], [3, IGNORE], [2, IGNORE]])
"""Of five images those of their captions, that of the batch first: 0 and 1 are those of the first image and of the third."""


def head():
    return Contrastive(
        dim=6,
        text_vocab_size=9,
        text=partial(Bag, dim=5, dropout=0.0, ngrams=1, buckets=1),
        joint_dim=4,
        temperature=0.1,
    )


def test_a_caption_belongs_to_every_image_that_has_it():
    assert belong(NUMBERS, NUMBERS[:, 0]).int().tolist() == [
        [1, 0, 1, 0, 0],
        [0, 1, 0, 0, 1],
        [1, 0, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 1, 0, 0, 1],
    ]


def test_the_loss_of_pairs_is_a_plain_reference_when_captions_repeat():
    torch.manual_seed(0)
    images, texts = torch.randn(5, 4), torch.randn(5, 4)
    logits = images @ texts.T
    shares = torch.tensor(
        [[0.5, 0, 0.5, 0, 0], [0, 0.5, 0, 0, 0.5], [0.5, 0, 0.5, 0, 0], [0, 0, 0, 1, 0], [0, 0.5, 0, 0, 0.5]]
    )
    expected = (F.cross_entropy(logits, shares) + F.cross_entropy(logits.T, shares)) / 2
    assert torch.allclose(pair_losses(head(), images, texts, NUMBERS).mean(), expected)


RANK = """
import sys, torch
from torch import distributed
sys.path.insert(0, sys.argv[1])
from test_image_text import NUMBERS, head
from lmlab.task.image_text import pair_losses
distributed.init_process_group("gloo")
rank = distributed.get_rank()
rows = [slice(0, 3), slice(3, 5), slice(5, 5)][rank]
torch.manual_seed(0)
images, texts = torch.randn(5, 4)[rows].requires_grad_(), torch.randn(5, 4)[rows].requires_grad_()
loss = pair_losses(head(), images, texts, NUMBERS[rows]).sum()
loss.backward()
torch.save((loss.detach(), images.grad, texts.grad), f"{sys.argv[2]}/{rank}.pt")
distributed.destroy_process_group()
"""


def test_ranks_see_each_others_captions_and_have_the_gradient_of_one(tmp_path):
    torch.manual_seed(0)
    images, texts = torch.randn(5, 4).requires_grad_(), torch.randn(5, 4).requires_grad_()
    whole = pair_losses(head(), images, texts, NUMBERS).sum()
    whole.backward()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = []
    for rank in range(3):  # of unequal shares, one of them of nothing
        place = {"RANK": rank, "WORLD_SIZE": 3, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
        environment = {**os.environ, **{name: str(value) for name, value in place.items()}}
        words = [sys.executable, "-c", RANK, str(Path(__file__).parent), str(tmp_path)]
        ranks.append(subprocess.Popen(words, env=environment))
    assert [one.wait(timeout=120) for one in ranks] == [0, 0, 0]
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    assert torch.allclose(sum(one[0] for one in found), whole)
    assert torch.allclose(torch.cat([one[1] for one in found]), images.grad, atol=1e-6)
    assert torch.allclose(torch.cat([one[2] for one in found]), texts.grad, atol=1e-6)


SMALL = ["task=image_text", "model.dim=16", "model.num_layers=1", "model.attention.num_heads=2"]
READERS = ["transformer", "lstm", "gru", "rnn", "cnn", "bag", "dilated_cnn", "mamba2", "linear_recurrent", "bert_base"]
WRITERS = ["transformer", "lstm", "gru", "rnn", "mamba2", "delta_net", "llama"]


def built(*words):
    page = config.compose([*SMALL, *words, "head.text.dim=16"])
    return build_model(page, Seen(11, (4, 4, 1), (0.0,), (1.0,)))


@pytest.mark.parametrize("reader", READERS)
def test_every_encoder_reads_captions_and_padding_changes_nothing(reader):
    small = ["head.text.attention.num_heads=2"] if reader in ("transformer", "bert_base") else []
    small += ["head.text.mixer.num_heads=2"] if reader == "mamba2" else []
    model, found = built(f"head/text={reader}", *small)
    found.eval()
    ids = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]])
    vectors, _ = found.texts(ids, (ids > 0).long())
    alone, _ = found.texts(ids[:1, :3], torch.ones(1, 3).long())
    assert torch.allclose(vectors[:1], alone, atol=1e-5)
    (found.images(model(torch.randn(2, 4, 4, 1)).states) @ vectors.T).sum().backward()
    assert found.text.embedding.weight.grad.abs().sum() > 0
    assert model.frontend.map.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("writer", WRITERS)
def test_every_decoder_that_reads_a_memory_writes_of_the_image(writer):
    small = ["head.text.attention.num_heads=2"] if writer in ("transformer", "llama") else []
    small += ["head.text.mixer.num_heads=2"] if writer in ("mamba2", "delta_net") else []
    model, found = built("head=captioning", f"head/text={writer}", *small, "head.text.cross_attention.num_heads=2")
    found.eval()
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        for parameter in found.parameters():  # what begins at zero would hide the image
            parameter.add_(0.1 * torch.randn_like(parameter))
    logits, _ = found(model(torch.randn(1, 4, 4, 1)).states, ids, torch.ones_like(ids))
    other, _ = found(model(torch.randn(1, 4, 4, 1)).states, ids, torch.ones_like(ids))
    assert logits.shape == (1, 3, 11)
    assert not torch.allclose(logits, other, atol=1e-4)
