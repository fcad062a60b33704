"""Published corpora, found where people keep them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmlab.data.split_files import SplitFiles
from lmlab.types import SPLITS, Mistake

CONF = Path(__file__).parents[2] / "conf/data"
PRESETS = ["ptb", "tinyshakespeare", "wikitext2"]
DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))


def build(name: str, root: Path | None) -> SplitFiles:
    """The preset as Hydra composes it: its parent's values, mapping by mapping, then its own."""
    parent, own = (yaml.safe_load((CONF / f"{file}.yaml").read_text()) for file in ("split_files", name))
    values: dict[str, Any] = {
        key: {**value, **own.get(key, {})} if isinstance(value, dict) else own.get(key, value)
        for key, value in parent.items()
        if key != "_target_"
    }
    return SplitFiles(**values | {"root": root and str(root), "cache_dir": None})


def names(preset: str) -> Iterator[str]:
    files = yaml.safe_load((CONF / f"{preset}.yaml").read_text())["files"]
    return (options[0] for options in files.values() if options)


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMLAB_DATA", raising=False)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("folder", [0, 1, None])
def test_a_preset_is_found_in_its_usual_folders(tmp_path: Path, preset: str, folder: int | None) -> None:
    folders = yaml.safe_load((CONF / f"{preset}.yaml").read_text())["folders"]
    place = tmp_path if folder is None else tmp_path / folders[folder]
    place.mkdir(parents=True, exist_ok=True)
    for name in names(preset):
        (place / name).write_text(f"{name} " * 30)
    source = build(preset, tmp_path)
    assert all(list(source.read(split)) for split in ("train", "val"))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_missing_corpus_says_which_file_is_needed_and_where_people_get_it(tmp_path: Path, preset: str) -> None:
    origin = yaml.safe_load((CONF / f"{preset}.yaml").read_text())["origin"]
    for root in (None, tmp_path):
        with pytest.raises(Mistake) as caught:
            build(preset, root)
        message = str(caught.value)
        assert origin in message
        assert "data.root or LMLAB_DATA" in message
        assert all(name in message for name in names(preset))
    assert str(tmp_path) in message


def test_a_corpus_with_one_part_missing_names_that_part_and_its_folder(tmp_path: Path) -> None:
    place = tmp_path / "lm/wikitext-2"
    place.mkdir(parents=True)
    for name in ("wiki.valid.tokens", "wiki.test.tokens"):
        (place / name).write_text("= Title =\n")
    with pytest.raises(Mistake, match=r"needs wiki\.train\.tokens, not found in .*lm/wikitext-2;"):
        build("wikitext2", tmp_path)


def test_the_root_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "input.txt").write_text("To be, or not to be\n" * 5)
    monkeypatch.setenv("LMLAB_DATA", str(tmp_path))
    assert len(next(build("tinyshakespeare", None).read("val")).text) == 10


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="needs LMLAB_DATA")
def test_published_corpora_have_their_published_sizes() -> None:
    shakespeare = build("tinyshakespeare", DATA)
    sizes = [sum(len(example.text) for example in shakespeare.read(split)) for split in SPLITS]
    assert sizes == [1_003_854, 111_540, 0]
    ptb = build("ptb", DATA)
    assert [next(ptb.read(split)).text.count("\n") for split in SPLITS] == [42_068, 3_370, 3_761]
