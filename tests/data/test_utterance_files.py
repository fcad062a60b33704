"""Published dialogues between two: where they are found, whose words are whose, what is faulty."""

import os
from pathlib import Path

import pytest

from lmlab import config, values
from lmlab.types import SPLITS, Mistake, Source

DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))


def build(name: str, root: Path | None, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose([f"data={name}", *([f"data.root={root}"] if root else []), *overrides])
    values.check(composed)
    source: Source = config.build(composed, "data")
    return source


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMLAB_DATA", raising=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """As the archives are unpacked."""
    for part in ("train", "validation", "test"):
        path = tmp_path / f"ijcnlp_dailydialog/{part}/dialogues_{part}.txt"
        path.parent.mkdir(parents=True)
        lines = [f"Hello {number} of {part} . __eou__ Oh ? __eou__ It’s\x85me . __eou__" for number in range(40)]
        path.write_text("\n".join([*lines, f"Yes {part} ? __eou__ No ."]) + "\n", encoding="utf-8")
    return tmp_path


def test_the_last_word_is_the_assistants(corpus: Path) -> None:
    first, *_, last = build("daily_dialog", corpus).read("train")
    assert [(turn.role, turn.text) for turn in first.turns] == [
        ("assistant", "Hello 0 of train ."),
        ("user", "Oh ?"),
        ("assistant", "It’s\x85me ."),
    ]
    assert [(turn.role, turn.text) for turn in last.turns] == [("user", "Yes train ?"), ("assistant", "No .")]
    assert [len(list(build("daily_dialog", corpus).read(split))) for split in SPLITS] == [41, 41, 41]


def test_validation_trains_where_train_is_missing(corpus: Path, caplog) -> None:
    (corpus / "ijcnlp_dailydialog/train/dialogues_train.txt").unlink()
    source = build("daily_dialog", corpus, "data.split.val=0.3")
    parts = [{one.turns[0].text for one in source.read(split)} for split in SPLITS]
    assert "for train, validation/dialogues_validation.txt is read" in caplog.text
    assert len(parts[0] | parts[1]) == len(parts[0]) + len(parts[1]) == 41
    assert all("test" in text for text in parts[2])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Hello . __eou__", "line 1 has no reply: __eou__ does not stand between two utterances"),
        ("Hello .", "line 1 has no reply"),
        ("Hello . __eou__ __eou__ Hi . __eou__", "line 1 has an empty utterance"),
        ("Hi\0 . __eou__ Hi . __eou__", "line 1 holds a NUL byte"),
    ],
)
def test_a_faulty_line_is_told_with_its_number(corpus: Path, line: str, said: str) -> None:
    path = corpus / "ijcnlp_dailydialog/test/dialogues_test.txt"
    path.write_text(line + "\n" + path.read_text())
    with pytest.raises(Mistake, match=said) as raised:
        next(build("daily_dialog", corpus).read("train"))
    assert str(raised.value).startswith(str(path))
    assert len(list(build("daily_dialog", corpus, "data.on_error=skip").read("test"))) == 41


def test_what_is_missing_or_impossible_is_said(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Mistake, match=r"DailyDialog needs train/dialogues_train\.txt.*yanran\.li/dailydialog"):
        build("daily_dialog", tmp_path / "empty")
    with pytest.raises(Mistake, match=r"data\.separator is blank"):
        build("daily_dialog", corpus, "data.separator=")


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="needs LMLAB_DATA")
def test_daily_dialog_has_its_published_dialogues() -> None:
    source = build("daily_dialog", DATA)
    found = {split: list(source.read(split)) for split in SPLITS}
    assert len(found["train"]) + len(found["val"]) == len(found["test"]) == 1000
    assert sum(len(one.turns) for split in ("train", "val") for one in found[split]) == 8069
    assert sum(len(one.turns) for one in found["test"]) == 7740
    assert found["test"][0].turns[0].text == "Hey man , you wanna buy some weed ?"
