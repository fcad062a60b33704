"""Sessions of Python in docstrings as conversations."""

import pytest

from lmlab.data.doctests import Doctests, session
from lmlab.examples import Conversation, Turn
from lmlab.types import SPLITS, Mistake, Source

TEMPLATE = {"user": "user: ", "assistant": "assistant: "}

DOCSTRING = """Adds.

    >>> import math
    >>> def twice(x):
    ...     return 2 * x
    >>> twice(math.floor(2.5))
    4
    >>> print("a\\n\\nb")
    a
    <BLANKLINE>
    b
    >>> twice()
    Traceback (most recent call last):
      ...
    TypeError: missing 1 argument

And it goes on.

    >>> math.pi  # the last has no output
"""


def built(tmp_path, **values):
    chosen = {"template": TEMPLATE, "split": {"val": 0.1, "test": 0.1}, **values}
    return Doctests(**chosen, cache_dir=str(tmp_path))


def test_what_is_typed_up_to_an_output_is_a_turn_and_the_output_the_reply():
    assert session(DOCSTRING) == [
        ("user", "import math\ndef twice(x):\n    return 2 * x\ntwice(math.floor(2.5))"),
        ("assistant", "4"),
        ("user", 'print("a\\n\\nb")'),
        ("assistant", "a\n<BLANKLINE>\nb"),
        ("user", "twice()"),
        ("assistant", "Traceback (most recent call last):\n  ...\nTypeError: missing 1 argument"),
    ]


@pytest.mark.parametrize("text", ["", "No session.", ">>> x = 1", ">>>x\n1\n", ">>> x\n 1\n  >>> y\n2\n"])
def test_a_docstring_without_a_reply_or_a_faulty_one_is_no_conversation(text):
    assert session(text) == []


def test_every_session_of_the_library_stands_in_one_split(tmp_path):
    source = built(tmp_path)
    assert isinstance(source, Source)
    parts = [list(source.read(split)) for split in SPLITS]
    everything = [one for part in parts for one in part]
    assert len({*everything}) == len(everything) > 150
    assert all(len(part) > 10 for part in parts)
    for one in everything:
        assert [turn.role for turn in one.turns] == ["user", "assistant"] * (len(one.turns) // 2)
        assert all(turn.text and turn.header == TEMPLATE[turn.role] for turn in one.turns)
    assert len({built(tmp_path).fingerprint(), source.fingerprint()}) == 1


def test_texts_and_labels_are_headers_words_and_roles():
    one = Conversation((Turn("user", "U: ", "a"), Turn("assistant", "A: ", "b")))
    assert one.texts == ("U: ", "a", "A: ", "b")
    assert one.labels == ("user", "assistant")


def test_the_template_is_in_the_fingerprint_and_checked(tmp_path):
    other = {"user": "In: ", "assistant": "Out: "}
    assert built(tmp_path, template=other).fingerprint() != built(tmp_path).fingerprint()
    assert next(built(tmp_path, template=other).read("train")).turns[0].header == "In: "


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({"user": "user: "}, r"data\.template has no assistant; add"),
        ({"user": " ", "assistant": "a"}, r"data\.template\.user=  are no words"),
        ({"user": "a: ", "assistant": "a: "}, "has the same words for two roles"),
    ],
)
def test_a_template_that_tells_nobody_who_speaks_is_refused(tmp_path, template, said):
    with pytest.raises(Mistake, match=said):
        built(tmp_path, template=template)


def test_a_split_without_sessions_is_refused(tmp_path):
    with pytest.raises(Mistake, match="leaves no session for val"):
        list(built(tmp_path, split={"val": 0.000001, "test": 0.1}).read("val"))
