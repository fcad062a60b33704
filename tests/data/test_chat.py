"""Anyone's conversations in lines of JSON: what they mean, how they are divided, and every fault in one sentence."""

import gzip
import json
from pathlib import Path

import pytest

from lmlab import config, values
from lmlab.examples import Turn
from lmlab.types import SPLITS, Mistake, Source


def build(path: Path | None, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose(["data=chat", *([f"data.path={path}"] if path else []), *overrides])
    values.check(composed)
    source: Source = config.build(composed, "data")
    return source


def message(role, content):
    return {"role": role, "content": content}


def line(*messages):
    return json.dumps({"messages": list(messages)}, ensure_ascii=False)


HELLO = line(message("system", "Be kind."), message("user", "你好\n"), message("assistant", " Hello! "))


def many(number=60):
    return [
        line(message("user", f"What is {one}?"), message("assistant", f"A number, {one}.")) for one in range(number)
    ]


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(many()) + "\n\n", encoding="utf-8")
    return path


def test_every_line_is_a_conversation(tmp_path: Path) -> None:
    for name in ("one.jsonl", "one.jsonl.gz"):
        made = (HELLO + "\r\n").encode()
        (tmp_path / name).write_bytes(gzip.compress(made) if name.endswith("gz") else made)
        (tmp_path / "val.jsonl").write_text(many(1)[0])
        source = build(tmp_path / name, f"data.val_path={tmp_path / 'val.jsonl'}", "data.split.test=0")
        (found,) = source.read("train")
        assert found.turns == (
            Turn("system", "system: ", "Be kind."),
            Turn("user", "user: ", "你好"),
            Turn("assistant", "assistant: ", "Hello!"),
        )


def test_splits_are_cut_by_what_the_user_says_first(chats: Path) -> None:
    again = [line(message("user", f"What is {one}?"), message("assistant", "I do not know.")) for one in range(60)]
    chats.write_text("\n".join([*many(), *again]))
    source = build(chats, "data.split.val=0.3", "data.split.test=0.2")
    parts = [{one.turns[0].text for one in source.read(split)} for split in SPLITS]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 60
    assert sum(len(list(source.read(split))) for split in SPLITS) == 120


def test_other_keys_and_roles_may_be_named(tmp_path: Path) -> None:
    """As ShareGPT writes them."""
    path = tmp_path / "share.json"
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}, {"from": "tool", "value": "3"}]
    path.write_text("\n".join(json.dumps({"id": 1, "conversations": turns, "n": n}) for n in range(3)))
    (tmp_path / "val.jsonl").write_text(json.dumps({"conversations": turns}))
    keys = ["data.messages=conversations", "data.role=from", "data.content=value", "data.split.test=0"]
    names = ["data.role_names={human:user,gpt:assistant}", "data.template.tool='result: '"]
    source = build(path, *keys, *names, f"data.val_path={tmp_path / 'val.jsonl'}")
    assert [turn.role for turn in next(source.read("train")).turns] == ["user", "assistant", "tool"]
    assert next(source.read("train")).turns[2].header == "result: "
    with pytest.raises(Mistake, match=r"data\.role_names has bot, which is none of system, user"):
        build(path, *keys, "data.role_names={gpt:bot}")


USER, REPLY = message("user", "Hi"), message("assistant", "Hello")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"messages": [', "line 3 is no JSON"),
        ("[1]", "line 3 is JSON, but no object with keys"),
        ('{"message": []}', r"line 3 has no messages \(but message\); set data\.messages"),
        ('{"messages": "Hi"}', "line 3 has for messages what is no list: Hi"),
        ('{"messages": []}', "line 3 has no reply: no message of assistant behind another one"),
        (line(USER), "line 3 has no reply"),
        (line(REPLY, USER), "line 3 has no reply"),
        (line(USER, {"content": "Hello"}), "line 3 has no role in message 2; add it, or set data.role"),
        (line(USER, {"role": "assistant"}), "line 3 has no content in message 2; add it, or set data.content"),
        (line("Hi", REPLY), "line 3 has a message 1 that is no object: Hi"),
        (
            line(USER, message("robot", "Hello")),
            "line 3 has the role robot in message 2, which is none of system, user, assistant, tool; correct it",
        ),
        (line(USER, message(None, "Hello")), "line 3 has the role null in message 2"),
        (line(USER, message("assistant", " \n")), "line 3 has an empty content in message 2"),
        (line(USER, message("assistant", None)), "line 3 has a content in message 2 that is no text: null"),
        (line(message("user", [{"type": "image"}]), REPLY), "line 3 has a content in message 1 that is no text"),
        (line(message("user", "a\0b"), REPLY), "line 3 holds a NUL byte"),
    ],
)
def test_a_faulty_line_is_told_with_its_number_or_left_out(chats: Path, content: str, said: str, caplog) -> None:
    lines = many()
    chats.write_text("\n".join([*lines[:2], content, *lines[2:]]))
    with pytest.raises(Mistake, match=said) as raised:
        next(build(chats).read("train"))
    assert str(raised.value).startswith(f"{chats}, line 3")
    assert "\n" not in str(raised.value)
    source = build(chats, "data.on_error=skip")
    assert sum(len(list(source.read(split))) for split in SPLITS) == 60
    assert "1 example was left out" in caplog.text


def test_a_path_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"this data needs data\.path: a file of conversations"):
        build(None)
    with pytest.raises(Mistake, match=r"chts\.jsonl does not exist"):
        build(tmp_path / "chts.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(Mistake, match=r"empty\.jsonl is empty"):
        next(build(tmp_path / "empty.jsonl").read("train"))


def test_how_a_file_is_read_is_in_the_fingerprint(chats: Path) -> None:
    plain = build(chats).fingerprint()
    assert build(chats, "data.template.user='U: '").fingerprint() != plain
    assert build(chats, "data.role_names={bot:assistant}").fingerprint() != plain
    chats.write_text(chats.read_text().replace("number", "figure"))
    assert build(chats).fingerprint() != plain
