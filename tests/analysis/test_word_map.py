"""The map of words: equal input, equal map; near words lie near each other."""

import json

import numpy as np
import pytest

from lmlab.analysis.word_map import word_map, write_word_map
from lmlab.types import Failed


@pytest.fixture
def clusters():
    """Words of two kinds, at opposite ends, after `<eos>` and `<unk>` without a vector."""
    generator = np.random.default_rng(0)
    centres = np.repeat([[1.0] * 6, [-1.0] * 6], 20, axis=0)
    vectors = np.concatenate([np.full((2, 6), np.nan), centres + 0.3 * generator.normal(size=(40, 6))])
    words = ("<eos>", "<unk>", *(f"词{number}" for number in range(40)))
    return {"words": words, "counts": np.arange(42)[::-1], "vectors": vectors.astype(np.float32)}


def test_both_maps_part_what_is_unlike(clusters):
    drawn = word_map(**clusters, num_words=300)
    assert drawn["words"][0] == "词0"
    assert drawn["counts"][0] == 39
    for method in ("pca", "tsne"):
        places = np.array(drawn[method])
        assert places.shape == (40, 2)
        near, far = (
            np.linalg.norm(places[:20] - places[side].mean(axis=0), axis=1) for side in (slice(20), slice(20, 40))
        )
        assert (near < far).all()


def test_equal_input_gives_equal_bytes(clusters, tmp_path):
    first = write_word_map(tmp_path, **clusters, num_words=30).read_bytes()
    assert write_word_map(tmp_path, **clusters, num_words=30).read_bytes() == first
    assert len(json.loads(first)["words"]) == 30
    assert [path.name for path in tmp_path.iterdir()] == ["word_map.json"]


def test_there_is_no_map_of_few_or_of_equal_words(clusters, tmp_path):
    assert write_word_map(tmp_path, **clusters, num_words=4) is None
    assert word_map(**{**clusters, "vectors": np.ones((42, 6), dtype=np.float32)}, num_words=30) is None
    assert word_map(**{**clusters, "vectors": clusters["vectors"][:, :1]}, num_words=30) is None
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_map_is_drawn(clusters):
    assert len(word_map(**clusters, num_words=5)["tsne"]) == 5


def test_vectors_of_nan_are_said(clusters):
    clusters["vectors"][7] = np.inf
    with pytest.raises(Failed, match="NaN or infinite"):
        word_map(**clusters, num_words=30)
