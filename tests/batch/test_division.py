"""A split falls into documents or blocks, by its tokens alone; every token is in one example."""

import numpy as np
import pytest

from lmlab.batch.division import division

EOS = 7


def lengths(found):
    return np.diff(found.ends, prepend=0).tolist()


def test_many_documents_are_the_examples():
    text = [1, 2, EOS, EOS, 3, EOS] * 50
    found = division(np.array(text, dtype=np.uint16), eos=EOS, num_documents=150)
    assert found.kind == "documents"
    assert lengths(found) == [3, 1, 2] * 50


@pytest.mark.parametrize("num_documents", [3, 149, 151])
def test_few_documents_or_lines_that_end_like_documents_give_blocks(num_documents):
    tokens = np.array([1, 2, EOS, EOS, 3, EOS] * 50)
    found = division(tokens, eos=EOS, num_documents=num_documents)
    assert found.kind == "blocks of 32 tokens"
    assert lengths(found) == [32] * 9 + [12]


@pytest.mark.parametrize(("num_tokens", "size", "num"), [(1, 32, 1), (32, 32, 1), (33, 32, 2), (99_991, 100, 1_000)])
def test_blocks_are_at_most_a_thousand_and_not_too_short(num_tokens, size, num):
    found = division(np.zeros(num_tokens, dtype=np.uint16), eos=EOS, num_documents=1)
    assert found.kind == f"blocks of {size} tokens"
    assert len(found.ends) == num
    assert sum(lengths(found)) == found.ends[-1] == num_tokens
    assert set(lengths(found)[:-1]) <= {size}
