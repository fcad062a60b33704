"""Tagged tokens of the standard library: each module in one split, as many words as asked for, kept once."""

import pytest

from lmlab.data.python_tokens import PythonTokens
from lmlab.types import SPLITS, Mistake, Source

SPLIT = {"val": 0.2, "test": 0.2}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


def test_every_word_has_a_tag_and_tags_of_evaluation_are_those_of_training(cache):
    made = PythonTokens(num_words=40_000, split=SPLIT, cache_dir=cache)
    assert isinstance(made, Source)
    found = {split: [*made.read(split)] for split in SPLITS}
    words = [word for examples in found.values() for one in examples for word in one.words]
    assert 40_000 <= len(words) < 120_000
    assert all(len(one.words) == len(one.tags) > 0 for examples in found.values() for one in examples)
    assert not [word for word in words if not word or word.split() != [word]]
    tags = {split: {tag for one in examples for tag in one.tags} for split, examples in found.items()}
    assert tags["val"] | tags["test"] <= tags["train"]
    again = PythonTokens(num_words=40_000, split=SPLIT, cache_dir=cache)
    assert again.fingerprint() == made.fingerprint()
    assert [*again.read("val")] == found["val"]


def test_more_words_are_more_modules_and_another_fingerprint(cache):
    few, more = (PythonTokens(num_words=number, split=SPLIT, cache_dir=cache) for number in (2_000, 9_000))
    assert few.fingerprint() != more.fingerprint()
    names = [{name for name, _ in one._modules} for one in (few, more)]
    assert names[0] < names[1]
    tiny = PythonTokens(num_words=1, split=SPLIT, cache_dir=cache)
    with pytest.raises(Mistake, match=r"data\.num_words=1 leaves no module for (train|val)"):
        assert [*tiny.read("train"), *tiny.read("val")]
    with pytest.raises(Mistake, match=r"data\.num_words=0"):
        PythonTokens(num_words=0, split=SPLIT, cache_dir=cache)


def test_a_text_has_the_words_that_training_would_have():
    assert PythonTokens.sentences_of("import a\r\nx = 'b c'\n") == [("import", "a"), ("x", "=", "'b")]
    assert PythonTokens.sentences_of("def f(x: return x") == [("def", "f", "(", "x", ":", "return", "x")]
    assert PythonTokens.sentences_of("  \n") == []
