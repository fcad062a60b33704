"""The text that every Python carries."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from lmlab.data import stdlib as module
from lmlab.data.stdlib import MIN_CHARACTERS, Stdlib, _walk
from lmlab.types import SPLITS

SPLIT = {"val": 0.05, "test": 0.05}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    assert Stdlib(split=SPLIT, cache_dir=str(folder)).documents
    return folder


def stdlib(cache: Path, **split: float) -> Stdlib:
    return Stdlib(split=split or SPLIT, cache_dir=str(cache))


def test_it_is_about_two_megabytes_and_a_twentieth_each_is_held_out(cache: Path) -> None:
    sizes = {split: sum(len(example.text) for example in stdlib(cache).read(split)) for split in SPLITS}
    total = sum(sizes.values())
    assert 1_000_000 < total < 4_000_000
    assert 0.02 * total < sizes["val"] < 0.1 * total
    assert 0.02 * total < sizes["test"] < 0.1 * total


def test_no_document_is_in_two_parts_or_there_twice(cache: Path) -> None:
    count = Counter(example.text for split in SPLITS for example in stdlib(cache).read(split))
    assert set(count.values()) == {1}
    assert min(map(len, count)) >= MIN_CHARACTERS


def test_documents_know_where_they_come_from(cache: Path) -> None:
    named = {document.name: document for document in stdlib(cache).documents}
    decode = named["json.decoder.JSONDecoder.decode"]
    assert (decode.module, decode.kind) == ("json.decoder", "function")
    assert decode.text.startswith("Return the Python representation")
    assert named["topics.lambda"].kind == "topic"
    modules = {part for document in named.values() for part in document.module.split(".")}
    assert not modules & {"test", "tests", "idle_test", "site-packages"}


def test_another_fraction_moves_documents_to_training_only(cache: Path) -> None:
    few = {example.text for example in stdlib(cache, val=0.02, test=0.05).read("val")}
    assert few < {example.text for example in stdlib(cache).read("val")}


def test_the_second_reading_parses_nothing_and_gives_the_same(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stdlib(cache).fingerprint()
    monkeypatch.setattr(module, "_parse", lambda *_: pytest.fail("it was parsed again"))
    assert stdlib(cache).fingerprint() == first
    assert stdlib(cache, val=0.1).fingerprint() != first


def test_a_damaged_cache_is_made_again(cache: Path) -> None:
    first = stdlib(cache).fingerprint()
    (file,) = (cache / "stdlib").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    assert stdlib(cache).fingerprint() == first


def test_docstrings_under_conditions_are_read_and_nothing_is_executed() -> None:
    source = '"""A module."""\nraise SystemExit\nif x:\n  class A:\n    """A class."""\n    def f(): "A method."\n'
    found = [(document.name, document.kind, document.text) for document in _walk(ast.parse(source), "m", "m", "module")]
    assert found == [("m", "module", "A module."), ("m.A", "class", "A class."), ("m.A.f", "function", "A method.")]
