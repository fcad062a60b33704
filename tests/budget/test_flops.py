import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmlab.budget.flops import training_flops

VOCAB, DIM, LAYERS, TIME = 37, 24, 3, 11


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, DIM)
        self.maps = nn.ModuleList(nn.Linear(DIM, 3 * DIM) for _ in range(LAYERS))
        self.outs = nn.ModuleList(nn.Linear(DIM, DIM) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(DIM)

    def forward(self, ids):
        states = self.embedding(ids)
        for into, out in zip(self.maps, self.outs, strict=True):
            heads = into(self.norm(states)).view(*ids.shape, 3, 4, DIM // 4).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(*heads, is_causal=True)
            states = states + out(mixed.transpose(1, 2).flatten(2))
        return states @ self.embedding.weight.T  # tied


def ids(batch):
    return torch.zeros(batch, TIME, dtype=torch.long, device="meta")


def test_a_transformer_costs_six_per_weight_and_twelve_l_d_t_for_attention():
    with torch.device("meta"):
        model = Attending()
    weights = LAYERS * (3 * DIM * DIM + DIM * DIM) + VOCAB * DIM
    flops = training_flops(lambda: model(ids(5)))
    assert flops == 5 * TIME * (6 * weights + 12 * LAYERS * DIM * TIME)


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
def test_a_recurrent_layer_uses_every_weight_once_per_token(kind, gates):
    with torch.device("meta"):
        layer, head = kind(DIM, 16, 2, batch_first=True), nn.Linear(16, VOCAB)
        inputs = torch.empty(5, TIME, DIM)
    weights = gates * 16 * ((DIM + 16) + (16 + 16)) + 16 * VOCAB
    assert training_flops(lambda: head(layer(inputs)[0])) == 5 * TIME * 6 * weights


def test_an_embedding_costs_nothing():
    with torch.device("meta"):
        embedding = nn.Embedding(VOCAB, DIM)
    assert training_flops(lambda: embedding(ids(5))) == 0


def test_a_triangular_system_costs_half_a_product():
    matrix, right = (torch.empty(5, TIME, width, device="meta") for width in (TIME, DIM))
    half = training_flops(lambda: torch.linalg.solve_triangular(matrix, right, upper=False, unitriangular=True))
    assert 2 * half == training_flops(lambda: matrix @ right)
