"""Laws that every option of conf/tokenizer keeps, found by listing it."""

import hashlib
import importlib
import os
import pickle
import random
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import lmlab
from lmlab.tokenizer.chunks import chunks
from lmlab.tokenizer.trained import Trained, load
from lmlab.types import Mistake

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "conf/tokenizer").glob("*.yaml"))
TEXTS = [
    'Once upon a time, there was a "queen" who didn\'t sleep; 1,234.5 nights!\nThe  end.\n',
    "从前有一个国王，他有三个女儿。\n最小的女儿最美丽，连太阳也惊讶。世界 hello 世界",
    "emoji 👩‍👩‍👧 🏳️‍🌈 é (e + accent: é) naïve Ünïcödé ß ﬁ\n",
    "control \x00\x01\x1b\x1c\x7f\x85 \t\v\f\r\n \u2028 \u3000 \ufeff\u200b end",
    "  leading,   many     blanks   \n\n\n\ttabs\t\n  ",
    "<eos> <unk> </s> [CLS] a<eos>b",
    "x",
    "",
]


@cache
def elsewhere() -> tempfile.TemporaryDirectory[str]:
    """A folder with a tokenizer as Llama 3 has one, in which a full stop may take the newlines behind it."""
    folder = tempfile.TemporaryDirectory()
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r" ?\p{L}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\p{N}{1,3}|\s+(?!\S)|\s+"), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<eos>"], initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(["one. two!\n\n three.\n"] * 5 + TEXTS * 3, trainer)
    tokenizer.save(f"{folder.name}/tokenizer.json")
    Path(folder.name, "config.json").write_text('{"vocab_size": 403}')
    return folder


def build(name: str, **changes: Any) -> Any:
    if name == "pretrained":
        changes = {"path": elsewhere().name} | changes
    values = yaml.safe_load((ROOT / f"conf/tokenizer/{name}.yaml").read_text()) | changes
    module, _, factory = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), factory)(**values)


@pytest.fixture(scope="module", params=NAMES)
def trained(request: pytest.FixtureRequest) -> Trained:
    tokenizer: Trained = build(request.param).train(TEXTS * 3)
    return tokenizer


@pytest.fixture(scope="module", params=[name for name in NAMES if name != "word"])
def lossless(request: pytest.FixtureRequest) -> Trained:
    tokenizer: Trained = build(request.param).train(TEXTS * 3)
    return tokenizer


def test_a_text_comes_back_as_it_was(lossless: Trained) -> None:
    for text in TEXTS:
        assert lossless.decode(lossless.encode(text)) == text


@pytest.mark.parametrize("name", ["byte", "bpe"])
def test_bytes_bring_back_what_was_never_seen(name: str) -> None:
    tokenizer = build(name).train(["nothing but ascii\n"])
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_encoding_what_was_decoded_gives_the_same_ids(trained: Trained) -> None:
    for text in TEXTS:
        ids = trained.encode(text)
        assert trained.encode(trained.decode(ids)) == ids


def test_a_text_that_mentions_the_end_of_a_document_does_not_end_it(lossless: Trained) -> None:
    assert lossless.eos not in lossless.encode("a <eos> b")


def test_ids_are_those_of_the_chunks_whatever_their_size(trained: Trained) -> None:
    draw = random.Random(0)
    symbols = ["  ", "\n\n", "The", "'s", *"  \na1!，世👧\u3000\x1c\x85\t"]
    for text in [*TEXTS, *("".join(draw.choices(symbols, k=60)) for _ in range(40))]:
        whole = trained.encode(text)
        for size in (1, 2, 7, 10_000):
            parts = list(chunks(text, size, trained._cut))
            assert "".join(parts) == text
            assert [index for part in parts for index in trained.encode(part)] == whole


def test_a_long_text_is_the_same_alone_and_in_a_batch(trained: Trained) -> None:
    text = "".join(TEXTS) * 40
    assert trained.encode_batch([text, "", TEXTS[0]]) == [trained.encode(text), [], trained.encode(TEXTS[0])]


def test_an_array_holds_every_document_with_one_end_each(trained: Trained) -> None:
    expected: list[int] = []
    for text in TEXTS:
        expected += trained.encode(text)
        if not expected or not text or expected[-1] != trained.eos:
            expected.append(trained.eos)
    array = trained.to_array(TEXTS)
    assert array.dtype == np.uint16
    assert array.tolist() == expected
    assert trained.to_array([]).shape == (0,)


def test_ids_stay_below_the_vocabulary_size(trained: Trained) -> None:
    assert trained.to_array(TEXTS).max() < trained.vocab_size
    assert trained.token(trained.eos) == "<eos>"


def test_saving_and_pickling_change_nothing(trained: Trained, tmp_path: Path) -> None:
    trained.save(str(tmp_path / "tokenizer.json"))
    for copy in (load(tmp_path / "tokenizer.json"), pickle.loads(pickle.dumps(trained))):
        assert (copy.vocab_size, copy.eos) == (trained.vocab_size, trained.eos)
        for text in TEXTS:
            assert copy.encode(text) == trained.encode(text)
            assert copy.decode(copy.encode(text)) == trained.decode(trained.encode(text))


def test_training_gives_the_same_file_in_every_process(tmp_path: Path) -> None:
    hashes = []
    for seed, threads in (("0", "1"), ("1", "2"), ("2", "3")):
        source = str(Path(lmlab.__path__[0]).parent)
        changes = {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads, "PYTHONPATH": source}
        script = f"import runpy; runpy.run_path({__file__!r})['write_all']({str(tmp_path)!r})"
        subprocess.run([sys.executable, "-c", script], env=os.environ | changes, check=True)
        files = sorted(tmp_path.glob("*.json"))
        assert [file.stem for file in files if file.stem != "tokenizer_config"] == NAMES
        hashes.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert hashes[0] == hashes[1] == hashes[2]


def write_all(folder: str) -> None:
    """Run by the test above in processes of their own."""
    texts = [(ROOT / "tests/tokenizer/test_every_tokenizer.py").read_text(), *TEXTS]
    for name in NAMES:
        changes = {"vocab_size": 400} if name in ("bpe", "unigram") else {}
        build(name, **changes).train(texts).save(f"{folder}/{name}.json")


@pytest.mark.parametrize(("name", "least"), [("bpe", 257), ("unigram", 6), ("char", 3), ("word", 3)])
def test_a_vocabulary_too_small_is_refused_with_the_least_one(name: str, least: int) -> None:
    with pytest.raises(Mistake, match=rf"tokenizer\.vocab_size={least - 1} .* at least {least}"):
        build(name, vocab_size=least - 1).train(["abc abc a"])
    assert build(name, vocab_size=least).train(["abc abc a"]).vocab_size <= least


@pytest.mark.parametrize(("name", "text"), [("char", "babacb"), ("word", "b a b a c b")])
def test_the_most_frequent_symbols_stay_and_others_become_unknown(name: str, text: str) -> None:
    tokenizer = build(name, vocab_size=4).train([text])
    assert [tokenizer.token(index) for index in range(4)] == ["<eos>", "<unk>", "b", "a"]
    assert tokenizer.encode("c") == [1]
    assert build(name, min_count=3).train([text]).vocab_size == 3


def test_a_file_without_an_end_of_document_is_refused(tmp_path: Path) -> None:
    Tokenizer(models.WordLevel(vocab={"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(Mistake, match="<eos>"):
        load(tmp_path / "tokenizer.json")
