import torch

from lmlab.model.mask import cross_mask, places_in, self_mask
from lmlab.types import Mask, Memory

NOTHING = {"document": None, "pattern": None, "bias": None, "device": torch.device("cpu")}


def test_places_count_within_documents_and_padding_takes_none():
    document = torch.tensor([[0, 0, 4, 4, 0, 4, 2, 2, 0, 7], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]])
    places = places_in(document)
    assert places[document != 0].tolist() == [0, 1, 2, 0, 1, 0, *range(10)]
    assert places.min() == 0


def test_no_tensor_is_built_where_the_kernel_needs_none():
    assert self_mask(causal=True, query=5, key=5, **NOTHING) == Mask(is_causal=True)
    assert self_mask(causal=True, query=1, key=5, **NOTHING) == Mask()
    assert self_mask(causal=False, query=5, key=5, **NOTHING) == Mask()
    assert cross_mask(None, Memory(torch.zeros(1, 2, 3))) == Mask()


def test_queries_are_the_last_of_the_keys():
    allowed = self_mask(causal=True, query=2, key=4, **NOTHING).allowed
    assert allowed[0, 0].tolist() == [[True, True, True, False], [True, True, True, True]]


def test_documents_see_themselves_alone():
    mask = self_mask(causal=False, query=4, key=4, **NOTHING | {"document": torch.tensor([[1, 2, 1, 0]])})
    assert mask.allowed[0, 0].int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]


def test_a_bias_carries_the_mask():
    mask = self_mask(causal=True, query=2, key=2, **NOTHING | {"bias": torch.ones(1, 1, 2, 2)})
    assert mask.allowed is None
    assert mask.bias[0, 0].tolist() == [[1, -torch.inf], [1, 1]]


def test_queries_that_are_padding_see_some_memory():
    memory = Memory(torch.zeros(1, 3, 2), torch.tensor([[1, 2, 0]]))
    assert cross_mask(torch.tensor([[1, 2, 0]]), memory).allowed[0, 0].int().tolist() == [
        [1, 0, 0], [0, 1, 0], [1, 1, 1],
    ]  # fmt: skip
