import torch

from lmlab.model.embedding_dropout import EmbeddingDropout

IDS = torch.tensor([[1, 2, 3, 1], [3, 1, 0, 2]])


def test_a_word_is_dropped_everywhere_or_nowhere():
    weight = torch.nn.Embedding(40, 5).weight
    ids = torch.arange(40).repeat(2, 1).flatten()[None]
    torch.manual_seed(0)
    dropped = EmbeddingDropout(0.5).train()(weight[ids], ids, 40)
    kept = (dropped != 0).all(-1).view(2, 40)
    assert (kept == (dropped != 0).any(-1).view(2, 40)).all()
    assert (kept[0] == kept[1]).all()
    assert 0 < kept.float().mean() < 1
    torch.testing.assert_close(dropped[0, :40], weight * kept[0, :, None] * 2)


def test_evaluation_keeps_every_bit():
    states = torch.randn(2, 4, 5)
    assert EmbeddingDropout(0.5).eval()(states, IDS, 4) is states


def test_features_are_no_words(build):
    model = build(("model=lstm", "model.embedding_dropout=1.0")).train()
    embedded = model.embedding(IDS)
    assert (model(embedded).states - model(IDS).states).abs().max() > 1e-3
    torch.testing.assert_close(model(embedded).states, model.eval()(IDS).states)
