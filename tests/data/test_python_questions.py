"""Questions about functions: every answer is what `ast` and `inspect` say, at its place; modules stand in one split."""

import ast
import inspect

import pytest

from lmlab.data.python_questions import PythonQuestions
from lmlab.data.signatures import asked
from lmlab.types import SPLITS, Mistake

SOURCE = '''
class Café:
    async def méthode(self, a, /, b: "ü:" = {"é": (1, 2)}, *rest: int, c=-1, d, **more) -> list[str]:
        """Say   what
        it is.

        And more."""

    @property
    def plain(self): return 1

def folded(
    first,
    second=lambda x: x,
    *,
    third=None,
):
    def inner(): pass

def noted(a,  # a comment
          b=1): pass

def lines(a="""x
y"""): pass
'''


def found():
    return {one.name.partition(":")[0]: one for one in asked(SOURCE)}


def answers(one):
    return {question: answer and answer.text for question, answer in one.questions}


def test_a_context_is_the_signature_and_the_first_paragraph():
    assert found()["Café.méthode"].context == (
        'async def méthode(self, a, /, b: "ü:" = {"é": (1, 2)}, *rest: int, c=-1, d, **more) -> list[str]:\\n'
        "Say what it is."
    ).replace("\\n", "\n")
    assert found()["folded"].context == "def folded( first, second=lambda x: x, *, third=None, ):"
    assert found()["Café.plain"].context == "def plain(self):"
    assert found()["folded.inner"].context == "def inner():"


def test_answers_are_what_the_signature_says():
    assert answers(found()["Café.méthode"]) == {
        "name of the function": "méthode",
        "first parameter": "self",
        "last parameter": "more",
        "type of the result": "list[str]",
        "default of self": None,
        "annotation of self": None,
        "parameter after self": "a",
        "default of a": None,
        "annotation of a": None,
        "parameter after a": "b",
        "default of b": '{"é": (1, 2)}',
        "annotation of b": '"ü:"',
        "parameter after b": "rest",
        "default of rest": None,
        "annotation of rest": "int",
        "parameter after rest": "c",
        "default of c": "-1",
        "annotation of c": None,
        "parameter after c": "d",
        "default of d": None,
        "annotation of d": None,
        "parameter after d": "more",
        "default of more": None,
        "annotation of more": None,
        "parameter after more": None,
    }
    assert answers(found()["folded"])["default of second"] == "lambda x: x"
    assert answers(found()["folded.inner"]) == {
        "name of the function": "inner",
        "first parameter": None,
        "last parameter": None,
    }


def test_what_one_line_cannot_have_is_left_out():
    assert not {"noted", "lines"} & set(found())
    assert [*asked("def f(:")] == []


def test_every_answer_stands_where_it_is_said_to():
    for one in found().values():
        for _, answer in one.questions:
            assert answer is None or one.context.startswith(answer.text, answer.start)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return PythonQuestions(num_questions=4000, split={"val": 0.2, "test": 0.2}, cache_dir=str(cache))


def test_the_library_is_asked_about_as_inspect_has_it(data):
    num_defaults, ids, contexts = 0, set(), {split: set() for split in SPLITS}
    for split in SPLITS:
        for one in data.read(split):
            assert one.id not in ids
            ids.add(one.id)
            contexts[split].add(one.context)
            signature = inspect.signature(_function(one.context.split("\n")[0]))
            if one.question.startswith("default of "):
                default = signature.parameters[one.question.removeprefix("default of ")].default
                num_defaults += bool(one.answers)
                assert bool(one.answers) == (default is not inspect.Parameter.empty)
                assert not one.answers or ast.unparse(ast.parse(one.answers[0].text, mode="eval")) == default
            elif one.question == "last parameter":
                assert [answer.text for answer in one.answers] == [*signature.parameters][-1:]
    assert num_defaults > 50
    assert not contexts["train"] & contexts["val"] | contexts["train"] & contexts["test"]


def _function(line):
    """The function that a signature is of, its defaults being their own sources; annotations are dropped."""
    (function,) = ast.parse(f"{line} pass").body
    arguments = function.args
    for one in ast.walk(arguments):
        if isinstance(one, ast.arg):
            one.annotation = None
    function.returns = None
    arguments.defaults = [ast.Constant(ast.unparse(one)) for one in arguments.defaults]
    arguments.kw_defaults = [one and ast.Constant(ast.unparse(one)) for one in arguments.kw_defaults]
    scope = {}
    exec(compile(ast.fix_missing_locations(ast.Module([function], [])), "<signature>", "exec"), scope)
    return scope[function.name]


def test_it_is_read_again_from_the_cache_and_named_by_its_content(data, tmp_path):
    again = PythonQuestions(num_questions=4000, split={"val": 0.2, "test": 0.2}, cache_dir=str(tmp_path))
    assert again.fingerprint() == data.fingerprint()
    assert len([*tmp_path.glob("python_questions/*.json")]) == 1
    kept = PythonQuestions(num_questions=4000, split={"val": 0.2, "test": 0.2}, cache_dir=str(tmp_path))
    assert [*kept.read("val")] == [*data.read("val")]
    assert PythonQuestions(num_questions=300, split={}, cache_dir=str(tmp_path)).fingerprint() != data.fingerprint()


def test_too_few_questions_are_said(tmp_path):
    with pytest.raises(Mistake, match=r"data\.num_questions=0"):
        PythonQuestions(num_questions=0, split={}, cache_dir=None)
    with pytest.raises(Mistake, match="leaves no module for val"):
        [*PythonQuestions(num_questions=1, split={"val": 0.0001}, cache_dir=str(tmp_path)).read("val")]
