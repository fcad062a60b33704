import pytest
import torch

from lmlab.model.bag import MIX
from lmlab.types import Mistake

BUCKETS = 53


def hidden(model, ids, ngrams):
    """Joulin et al. 2017: the mean of all vectors of a document, word by word and n-gram by n-gram."""
    vectors = [model.embedding.weight[one] for one in ids]
    for size in range(2, ngrams + 1):
        for start in range(len(ids) - size + 1):
            mixed = 0
            for word in ids[start : start + size]:
                mixed = mixed * MIX + word
            vectors.append(model.ngram_embedding.weight[mixed % BUCKETS])
    return torch.stack(vectors).mean(0)


@pytest.mark.parametrize("ngrams", [1, 2, 3, 5])
def test_the_mean_over_a_documents_states_is_fasttexts_hidden_vector(build, ngrams):
    """Also of documents in one row, with padding between, and shorter than the longest n-gram."""
    model = build(("model=bag", f"model.ngrams={ngrams}"), causal=False)
    inputs = torch.randint(37, (2, 11))
    document = torch.tensor([[0, 1, 1, 0, 1, 1, 2, 2, 0, 0, 4], [1] * 11])
    states = model(inputs, document).states
    for row in range(2):
        for number in set(document[row].tolist()) - {0}:
            own = document[row] == number
            torch.testing.assert_close(states[row, own].mean(0), hidden(model, inputs[row, own].tolist(), ngrams))


def test_states_of_words_alone_are_their_vectors(build):
    model = build(("model=bag", "model.ngrams=1"), causal=False)
    inputs = torch.randint(37, (2, 5))
    words = model.embedding(inputs)
    torch.testing.assert_close(model(inputs).states, words)
    torch.testing.assert_close(model(words).states, words)
    with pytest.raises(Mistake, match=r"features are 5 wide, but model\.dim=24"):
        model(torch.randn(2, 5, 5))


def test_an_ngram_is_divided_among_its_own_places(build):
    model = build(("model=bag",), causal=False)
    model.embedding.weight.data.zero_()
    inputs = torch.tensor([[3, 5, 7]])
    first, second = (model.ngram_embedding.weight[(a * MIX + b) % BUCKETS] for a, b in ((3, 5), (5, 7)))
    expected = torch.stack([first / 2, (first + second) / 2, second / 2]) * 3 / 5
    torch.testing.assert_close(model(inputs).states[0], expected)


def test_features_have_no_ngrams(build):
    with pytest.raises(Mistake, match=r"features have no n-grams, and model\.ngrams=2; set model\.ngrams to 1"):
        build(("model=bag",), causal=False)(torch.randn(2, 5, 24))


@pytest.mark.parametrize(("key", "needs"), [("ngrams", "1 \\(words\\)"), ("buckets", "1 or more")])
def test_less_than_one_is_refused(build, key, needs):
    with pytest.raises(Mistake, match=rf"model\.{key}=0 .*set it to {needs}"):
        build(("model=bag", f"model.{key}=0"), causal=False)
