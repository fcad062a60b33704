"""The contract holds more than text: features, packed rows and auxiliary losses, each in a toy."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.head.next_token import NextToken
from lmlab.types import Extras, Memory, Output, State


def test_frames_of_audio_are_classified_by_an_encoder_of_features(build):
    """Which of two tones a noisy row of frames holds: the frames are features, shorter rows are padded."""
    model = build(("model=gru", "model.dim=12"), causal=False, noisy=False).train()
    head = nn.Linear(12, 2)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        tone = torch.randint(2, (16,), generator=generator)
        time = torch.arange(9)[None, :, None]
        frames = torch.sin((0.5 + tone[:, None, None]) * time + torch.arange(12)) + 0.3 * torch.randn(
            16, 9, 12, generator=generator
        )
        document = (torch.arange(9) < torch.randint(5, 10, (16, 1), generator=generator)).long()
        states = model(frames, document).states
        pooled = (states * document[..., None]).sum(1) / document.sum(1, keepdim=True)
        loss = F.cross_entropy(head(pooled), tone)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


def test_the_loss_of_a_packed_row_is_the_sum_of_its_documents(build):
    model = build(("model=transformer",))
    head = NextToken(
        dim=24,
        vocab_size=37,
        embedding=model.embedding,
        tie_weights=True,
        bias=False,
        scale_states=False,
        init_range=None,
    )
    documents = [torch.randint(37, (length,)) for length in (4, 2, 6)]

    def loss(ids: Tensor, document: Tensor | None) -> Tensor:
        logits = head(model(ids, document).states)
        return F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="sum")

    packed = torch.cat(documents)[None]
    numbers = torch.cat([torch.full((len(ids),), n + 1) for n, ids in enumerate(documents)])[None]
    torch.testing.assert_close(loss(packed, numbers), sum(loss(ids[None], None) for ids in documents))


class ToyExperts(nn.Module):
    """A model of two experts that asks for balance: what a mixture of experts would return beside its states."""

    state_grows = False

    def __init__(self, *, vocab_size: int, causal: bool, memory_dim: int | None = None) -> None:
        super().__init__()
        self.dim, self.causal = 6, causal
        self.embedding = nn.Embedding(vocab_size, 6)
        self.router = nn.Linear(6, 2)
        self.experts = nn.ModuleList(nn.Linear(6, 6) for _ in range(2))

    def forward(
        self,
        inputs: Tensor,
        document: Tensor | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        states = self.embedding(inputs)
        shares = self.router(states).softmax(-1)
        states = sum(shares[..., n, None] * expert(states) for n, expert in enumerate(self.experts))
        balance = 0.1 * (shares.mean((0, 1)) - 0.5).square().sum()
        return Output(states, extras=Extras(losses={"balance": balance}))


def test_an_auxiliary_loss_reaches_the_parameters_through_the_extras():
    torch.manual_seed(0)
    model = ToyExperts(vocab_size=11, causal=True)
    output = model(torch.randint(11, (2, 5)))
    assert set(output.extras.losses) == {"balance"}
    (grad,) = torch.autograd.grad(sum(output.extras.losses.values()), [model.router.weight])
    assert grad.abs().sum() > 0
