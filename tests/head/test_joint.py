"""A head of two halves: what a decoder wrote, and the encoder's states."""

import torch

from lmlab.head.attention import Attention
from lmlab.head.ctc import Ctc
from lmlab.head.joint import Joint
from lmlab.types import Recogniser


def test_every_head_for_recordings_says_what_it_has_and_what_that_weighs():
    embedding = torch.nn.Embedding(5, 8)
    of_decoder = {
        "dim": 8,
        "num_symbols": 5,
        "symbol_embedding": embedding,
        "tie_weights": True,
        "label_smoothing": 0.1,
    }
    heads = [
        Ctc(dim=6, num_symbols=5, dropout=0.0),
        Attention(**of_decoder),
        Joint(**of_decoder, encoder_dim=6, ctc_weight=0.3, dropout=0.0),
    ]
    assert all(isinstance(head, Recogniser) for head in heads)
    assert [head.ctc_weight for head in heads] == [1.0, 0.0, 0.3]
    assert [head.ctc is not None for head in heads] == ["ctc" in head.parts for head in heads]
    assert heads[2](torch.zeros(1, 2, 8)).shape == (1, 2, 5)
    assert heads[2].ctc(torch.zeros(1, 3, 6)).shape == (1, 3, 6)
    assert heads[1].tokens.output.weight is embedding.weight
