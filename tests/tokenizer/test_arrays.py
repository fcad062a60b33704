"""The token cache: trained on train alone, made once, safe for jobs side by side."""

import errno
import json
import multiprocessing
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lmlab.tokenizer import arrays
from lmlab.tokenizer.arrays import TokenArrays, token_arrays
from lmlab.tokenizer.bpe import Bpe
from lmlab.tokenizer.char import Char
from lmlab.tokenizer.word import Word
from lmlab.types import Mistake, Split, Text

WORD = Word(
    vocab_size=None,
    min_count=1,
    lowercase=False,
    pattern=None,
    chinese="characters",
    phrases=None,
    phrase_discount=5.0,
    phrase_passes=1,
)
CHAR = Char(vocab_size=None, min_count=1)


class Small:
    """A source of a few documents."""

    example = Text

    def __init__(self, *, name: str = "small") -> None:
        self.name = name
        self.texts = {"train": ["ab ba\n", "", "bab"], "val": ["ac"], "test": []}

    def fingerprint(self) -> str:
        return self.name

    def read(self, split: Split) -> Iterator[Text]:
        return map(Text, self.texts[split])


class Unreadable(Small):
    """A source whose text must not be read again."""

    def read(self, split: Split) -> Iterator[Text]:
        raise AssertionError("it was read")


def test_each_split_holds_its_documents_with_their_ends(tmp_path: Path) -> None:
    found = token_arrays(Small(), CHAR, tmp_path)
    expected = [index for text in Small().texts["train"] for index in [*found.tokenizer.encode(text), 0]]
    assert found.train.tolist() == expected
    assert found.train.dtype == np.uint16
    assert len(found.test) == 0


def test_the_tokenizer_sees_the_training_split_alone(tmp_path: Path) -> None:
    found = token_arrays(Small(), CHAR, tmp_path)
    assert found.tokenizer.encode("c") == [1]
    assert found.val.tolist() == [*found.tokenizer.encode("a"), 1, 0]


def test_what_is_counted_is_the_texts_own(tmp_path: Path) -> None:
    for trainer in (CHAR, WORD, Bpe(vocab_size=258, min_count=2)):
        count = token_arrays(Small(), trainer, tmp_path).meta["splits"]["train"]
        assert count["bytes"] == count["characters"] == 9
        assert count["documents"] == 3
        assert count["words"] == 3 + 1 + 2
    words = token_arrays(Small(), WORD, tmp_path)
    assert len(words.train) == words.meta["splits"]["train"]["words"]


def test_the_second_time_nothing_is_read(tmp_path: Path) -> None:
    first = token_arrays(Small(), CHAR, tmp_path)
    second = token_arrays(Unreadable(), CHAR, tmp_path)
    assert (second.path, second.meta) == (first.path, first.meta)
    assert isinstance(second.train, np.memmap)
    assert second.train.tolist() == first.train.tolist()
    assert second.tokenizer.encode("abba") == first.tokenizer.encode("abba")


def test_another_text_or_another_value_gives_another_folder(tmp_path: Path) -> None:
    sources = [Small(), Small(name="other")]
    trainers = [CHAR, Char(vocab_size=4, min_count=1), WORD]
    paths = {token_arrays(source, trainer, tmp_path).path for source in sources for trainer in trainers}
    assert len(paths) == 6


def test_the_size_of_a_block_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = token_arrays(Small(), CHAR, tmp_path / "whole")
    monkeypatch.setattr(arrays, "BLOCK_CHARACTERS", 1)
    single = token_arrays(Small(), CHAR, tmp_path / "single")
    assert single.train.tolist() == whole.train.tolist()
    assert single.meta == whole.meta


@pytest.mark.parametrize("name", ["train.bin", "test.bin", "tokenizer.json", "meta.json"])
@pytest.mark.parametrize("damage", ["missing", "shorter", "longer", "garbage"])
def test_a_damaged_folder_is_made_again(tmp_path: Path, name: str, damage: str) -> None:
    first = token_arrays(Small(), CHAR, tmp_path)
    expected = first.train.tolist()  # before its file is damaged under it
    file = first.path / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"shorter": content[:-1], "longer": content + b"{", "garbage": b"\xff[}" * 7}[damage])
    second = token_arrays(Small(), CHAR, tmp_path)
    assert second.train.tolist() == expected
    assert json.loads((second.path / "meta.json").read_bytes()) == first.meta
    assert [entry.name for entry in (tmp_path / "tokens").iterdir()] == [first.path.name]


def test_others_who_share_the_cache_can_read_it(tmp_path: Path) -> None:
    mode = token_arrays(Small(), CHAR, tmp_path).path.stat().st_mode
    assert mode & stat.S_IROTH
    assert mode & stat.S_IXOTH


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_a_cache_that_cannot_be_written_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(arrays, "_write", fail)
    with pytest.raises(Mistake, match="LMLAB_CACHE"):
        token_arrays(Small(), CHAR, tmp_path)
    assert list((tmp_path / "tokens").iterdir()) == []


def test_leftovers_of_a_killed_build_go_after_a_day(tmp_path: Path) -> None:
    old = Path(tempfile.mkdtemp(prefix=".building-", dir=token_arrays(Small(), CHAR, tmp_path).path.parent))
    new = Path(tempfile.mkdtemp(prefix=".building-", dir=old.parent))
    os.utime(old, (0, 0))
    token_arrays(Small(name="other"), CHAR, tmp_path)
    assert not old.exists()
    assert new.exists()


def _job(folder: str, barrier: "multiprocessing.synchronize.Barrier", results: "multiprocessing.Queue[object]") -> None:
    built = arrays._build

    def together(*args: object) -> None:
        built(*args)  # type: ignore[arg-type]
        barrier.wait(60)  # both have built before either publishes

    arrays._build = together  # type: ignore[assignment]
    found: TokenArrays = token_arrays(Small(), CHAR, Path(folder))
    results.put((found.path.name, found.train.tolist()))


def test_two_jobs_that_build_one_cache_at_once_both_succeed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(2), context.Queue()
    jobs = [context.Process(target=_job, args=(str(tmp_path), barrier, results)) for _ in range(2)]
    for job in jobs:
        job.start()
    found = [results.get(timeout=60) for _ in jobs]
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0, 0]
    assert found[0] == found[1]
    assert [entry.name for entry in (tmp_path / "tokens").iterdir()] == [found[0][0]]
