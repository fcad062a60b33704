import pytest
from torch import nn

from lmlab.budget.parameters import count, parse_size, table
from lmlab.types import Mistake


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.layers = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 4, bias=False))
        self.head = nn.Linear(4, 11)
        self.head.weight = self.embedding.weight
        self.scale = nn.Parameter(nn.init.ones_(self.head.bias.new_empty(3)))


def test_tied_parameters_count_once():
    assert count(Tied()) == 11 * 4 + (4 * 5 + 5) + 5 * 4 + 11 + 3


def test_the_rows_of_the_table_add_up():
    rows = table(Tied())
    assert rows == {"itself": 3, "embedding": 44, "layers": 45, "head": 11}
    assert sum(rows.values()) == count(Tied())


@pytest.mark.parametrize(
    ("size", "number"),
    [
        ("5M", 5_000_000),
        ("5m", 5_000_000),
        ("1.5M", 1_500_000),
        ("300k", 300_000),
        ("1B", 10**9),
        (1234, 1234),
        ("1_000", 1000),
        ("0.3k", 300),
    ],
)
def test_sizes_are_read_as_people_write_them(size, number):
    assert parse_size(size) == number


@pytest.mark.parametrize("size", ["", "M", "-5M", "5X", "5 M M", "0", "nan"])
def test_nonsense_is_refused_with_the_key(size):
    with pytest.raises(Mistake, match=r"model\.params="):
        parse_size(size)
