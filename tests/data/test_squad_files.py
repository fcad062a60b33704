"""Questions in the JSON of SQuAD: faults with their place, articles whole in one split, answers where they stand."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lmlab import config, values
from lmlab.examples import Answer
from lmlab.types import SPLITS, Mistake, Source

DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))
CONTEXT = "The old bridge was built in 1890. In 1890 a mill stood there."


def build(name: str, root: Path | None, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose([f"data={name}", *([f"data.root={root}"] if root else []), *overrides])
    values.check(composed)
    source: Source = config.build(composed, "data")
    return source


def question(id: str, *answers: tuple[str, int], **more: object) -> dict[str, object]:
    written = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": id, "question": f"What of {id}?", "answers": written, **more}


def articles(num: int) -> dict[str, Any]:
    """Two questions about each, the second without an answer."""
    made = []
    for number in range(10, 10 + num):
        context = f"{number} {CONTEXT}"
        rows = [question(f"{number}a", ("old", context.index("old"))), question(f"{number}b")]
        made.append({"title": f"T{number}", "paragraphs": [{"context": context, "qas": rows}]})
    return {"version": "1", "data": made}


def written(root: Path, content: Any, name: str = "train") -> Path:
    (root / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return root


OWN = ("data.files={train:[train.json],val:null,test:null}", "data.split={val:0.2,test:0.2}")


def test_articles_stand_in_one_split_and_a_question_may_have_no_answer(tmp_path: Path) -> None:
    source = build("squad_files", written(tmp_path, articles(40)), *OWN)
    parts = {split: list(source.read(split)) for split in SPLITS}
    assert sum(map(len, parts.values())) == 80
    contexts = [{one.context for one in own} for own in parts.values()]
    assert sum(map(len, contexts)) == len(set.union(*contexts)) == 40
    first, second = parts["train"][:2]
    assert first.answers == (Answer("old", 7),)
    assert first.context[7:10] == "old"
    assert second.answers == ()
    assert first.texts == (first.question, first.context)
    assert source.fingerprint() != build("squad_files", tmp_path, *OWN, "data.on_error=skip").fingerprint()


def spoil(place: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    content = articles(40)
    place(content)
    return content


def qas(content: dict[str, Any]) -> list[Any]:
    found: list[Any] = content["data"][2]["paragraphs"][0]["qas"]
    return found


FAULTY: list[tuple[dict[str, object], str]] = [
    (question("x", ("old", 9)), "has the answer old at 9, where its context has "),
    (question("x", ("old", -1)), "has the answer old at -1, where its context has "),
    (question("x", ("bridges", 11)), "has the answer bridges at 11"),
    ({"id": "x", "question": "y"}, "has no list of answers"),
    ({"id": "x", "question": " ", "answers": []}, "has no question, or an empty one"),
    ({"id": "x", "question": "y", "answers": [{"text": "old"}]}, "has an answer without an answer_start"),
    (question("x", question="nu\0l"), "holds a NUL byte"),
]


@pytest.mark.parametrize(("row", "said"), FAULTY)
def test_a_faulty_question_stops_with_its_id_or_is_left_out(
    tmp_path: Path, row: dict[str, object], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = spoil(lambda content: qas(content).append(row))
    with pytest.raises(Mistake, match=f"train.json, article 3, paragraph 1, question x {said}"):
        list(build("squad_files", written(tmp_path, content), *OWN).read("train"))
    source = build("squad_files", tmp_path, *OWN, "data.on_error=skip")
    assert sum(len(list(source.read(split))) for split in SPLITS) == 80
    assert "1 example was left out" in caplog.text


def test_an_answer_at_a_wrong_place_is_searched_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = question("x", ("1890", 45), ("1890", -1), ("1890", 31), ("gone", 3))
    content = spoil(lambda content: qas(content).append(row))
    source = build("squad_files", written(tmp_path, content), *OWN, "data.on_error=repair")
    found = next(one for split in SPLITS for one in source.read(split) if one.id == "x")
    assert found.answers == (Answer("1890", 40), Answer("1890", 31), Answer("1890", 31), Answer("gone", None))
    assert "train.json: 2 of the answers did not stand where they should" in caplog.text
    assert caplog.text.count("train.json: 1 of the answers stand nowhere in their context") == 1


def test_an_impossible_question_has_no_answers_and_an_id_is_one_questions(tmp_path: Path) -> None:
    row = question("x", ("old", 7), is_impossible=True)
    source = build("squad_files", written(tmp_path, spoil(lambda content: qas(content).append(row))), *OWN)
    assert next(one for split in SPLITS for one in source.read(split) if one.id == "x").answers == ()
    twice = spoil(lambda content: qas(content).extend([row, row]))
    with pytest.raises(Mistake, match="question x has the id of another question"):
        list(build("squad_files", written(tmp_path, twice), *OWN).read("train"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"data": [}', r"line 1, column 11 is no JSON \(Expecting value\); correct it or fetch it again"),
        ('{"data":\n [{"paragraphs":', "line 2, column"),
        ("", "is empty"),
        ("[1, 2]", "the file has no list data; give a file in the JSON of SQuAD"),
        ({"data": [{"title": "a"}]}, "article 1 has no list paragraphs"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, "article 1, paragraph 1 has no context, which 0 questions"),
        ({"data": [{"paragraphs": [{"context": "a"}]}]}, "article 1, paragraph 1 has no list qas"),
        (
            {"data": [{"paragraphs": [{"context": "a", "qas": ["b"]}]}]},
            "article 1, paragraph 1, question 1 is no object",
        ),
        (
            {"data": [{"paragraphs": [{"context": " ", "qas": [{}, {}]}]}]},
            "has no context, which 2 questions are about",
        ),
        ({"data": []}, r"train\.json has no example in it"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        list(build("squad_files", written(tmp_path, content), *OWN).read("train"))


def test_a_dev_file_stands_in_for_training_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = build("squad_v2", written(tmp_path, articles(60), "dev-v2.0"))
    assert sum(len(list(source.read(split))) for split in SPLITS) == 120
    assert "SQuAD 2.0: train-v2.0.json is not in" in caplog.text
    with pytest.raises(Mistake, match=r"SQuAD 1\.1 needs train-v1\.1\.json, dev-v1\.1\.json, not found in"):
        build("squad", tmp_path)


real_data = pytest.mark.skipif(not DATA.exists(), reason="needs LMLAB_DATA")


@pytest.mark.real_data
@real_data
def test_published_sets_have_their_published_questions(caplog: pytest.LogCaptureFixture) -> None:
    found = {
        name: {split: list(build(name, DATA).read(split)) for split in SPLITS}
        for name in ("squad_v2", "xquad", "cmrc2018")
    }
    sizes = {name: sum(map(len, parts.values())) for name, parts in found.items()}
    assert sizes == {"squad_v2": 6_078, "xquad": 1_190, "cmrc2018": 1_000 + 3_219}, "two of CMRC's trial part are empty"
    assert sum(not one.answers for own in found["squad_v2"].values() for one in own) == 3_168
    assert len(found["cmrc2018"]["test"]) == 3_219
    assert {len(one.answers) for one in found["cmrc2018"]["test"]} == {3}
    for one in (one for parts in found.values() for own in parts.values() for one in own):
        assert all(one.context.startswith(text, start) for text, start in one.answers if start is not None)
    assert "cmrc2018_dev.json: 7 of the answers did not stand where they should" in caplog.text
    assert "cmrc2018_dev.json: 193 of the answers stand nowhere in their context" in caplog.text
    assert "cmrc2018_trial.json: 5 of the answers did not stand where they should" in caplog.text


@pytest.mark.real_data
@real_data
def test_the_first_wrong_offset_is_named_with_its_question() -> None:
    with pytest.raises(
        Mistake, match=r"cmrc2018_(trial|dev)\.json, .* question (TRIAL_210_QUERY_0|DEV_6_QUERY_2) has the"
    ):
        list(build("cmrc2018", DATA, "data.on_error=strict").read("train"))
