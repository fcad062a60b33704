import json
import shutil

import pytest

from lmlab.tokenizer.pretrained import Pretrained
from lmlab.tokenizer.trained import load
from lmlab.types import Mistake


@pytest.fixture
def folder(pretrained, tmp_path):
    return shutil.copytree(pretrained, tmp_path / "folder")


def test_a_text_ends_as_the_folder_says(folder, tmp_path):
    tokenizer = Pretrained(path=str(folder), end=None).train([])
    assert tokenizer.token(tokenizer.eos) == "<|end|>"
    assert tokenizer.to_array(["the cat"]).tolist() == [*tokenizer.encode("the cat"), tokenizer.eos]
    (tmp_path / "run").mkdir()
    tokenizer.save(str(tmp_path / "run" / "tokenizer.json"))
    assert load(tmp_path / "run" / "tokenizer.json").eos == tokenizer.eos
    assert Pretrained(path=str(folder / "tokenizer.json"), end="t").train([]).eos == tokenizer.encode("t")[0]


@pytest.mark.parametrize(
    ("said", "token"), [({"sep_token": {"content": "a"}}, "a"), ({"eos_token": None, "sep_token": "b"}, "b")]
)
def test_what_stands_between_two_texts_ends_one_where_there_is_no_end(folder, said, token):
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    tokenizer = Pretrained(path=str(folder), end=None).train([])
    assert tokenizer.token(tokenizer.eos) == token


def test_a_vocabulary_smaller_than_the_models_is_filled_with_tokens_that_no_text_holds(folder):
    (folder / "config.json").write_text('{"vocab_size": 300}')
    tokenizer = Pretrained(path=str(folder), end=None).train([])
    assert tokenizer.vocab_size == 300
    text = f"the {tokenizer.token(299)} cat"
    assert max(tokenizer.encode(text)) < 280
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_equal_files_elsewhere_are_told_by_their_content(folder):
    before = vars(Pretrained(path=str(folder), end=None))
    (folder / "tokenizer_config.json").write_text('{"eos_token": "t"}')
    assert vars(Pretrained(path=str(folder), end=None)) != before
    json.dumps(before)  # what the cache keeps


def test_what_is_missing_is_said(folder):
    with pytest.raises(Mistake, match=r"tokenizer\.end=<x> is no token"):
        Pretrained(path=str(folder), end="<x>").train([])
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(Mistake, match=r"tokenizer\.json cannot be read"):
        Pretrained(path=str(folder), end=None).train([])
    (folder / "tokenizer.json").unlink()
    with pytest.raises(Mistake, match=r"has no tokenizer\.json"):
        Pretrained(path=str(folder), end=None)
