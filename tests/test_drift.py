"""Every YAML binds: to its file, to the signature of what it builds, and to two steps of training."""

import inspect
import json
import os
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from hydra.utils import get_object
from PIL import Image

from lmlab import cli, config, tree, values
from lmlab.command.kind.kind import fits, kind_of
from lmlab.types import Mistake

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {
    group: {name: path for name, path in options.items() if path.is_relative_to(ROOT)}
    for group, options in tree.groups().items()
}
CHOICES = [f"{group}={option}" for group, options in GROUPS.items() for option in options]
ELSEWHERE = {"logger": "run"}
"""Groups whose classes stand in a folder of another name: wandb is imported in run/ alone."""


ALONE = {
    **dict.fromkeys(("features", "decoding"), "speech_recognition"),
    "batch/masking": "masked_language_modeling",
}
"""Groups that one task alone has."""


@cache
def kinds():
    """Every task, language modelling first, with its Kind and the Example that it is about."""
    tasks = ["language_modeling", *(task for task in GROUPS["task"] if task != "language_modeling")]
    composed = {task: config.compose([f"task={task}"]) for task in tasks}
    return {task: (kind_of(page), config.class_of(page, "task").example) for task, page in composed.items()}


@cache
def task_of(choice):
    """The task that an option is for; None where it is for language modelling, or for all."""
    group, _, option = choice.partition("=")
    if group == "task" or group in ALONE:
        return ALONE.get(group, option)
    if group not in ("model", "head", "batch", "frontend"):
        return None
    path, needing = GROUPS[group][option], {task: one for task, one in kinds().items() if group in one[0].needs}
    found = next(task for task, (kind, example) in needing.items() if fits(path, kind.needs[group], example))
    return None if found == "language_modeling" else found


def in_place(choice):
    """The choice with the task or the model that has a place for it."""
    if (task := task_of(choice)) is not None:
        return [*dict.fromkeys([f"task={task}", choice])]
    return [*host(choice.partition("=")[0]), choice]


@cache
def host(group):
    """What is chosen before an option of this group, so that it has a place."""
    first = next(iter(GROUPS[group]))
    for before in ([], ["model=transformer"], ["model=recurrent"], ["model=linear_recurrent"], ["model=seq2seq"]):
        try:
            config.compose([*before, f"{group}={first}"])
        except Mistake as mistake:
            if "no place here" not in str(mistake):
                raise
        else:
            return before
    return pytest.fail(f"no model has a place for {group}")


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if not choice.startswith(("paper=", "sweep="))])
def test_a_file_is_a_class_at_the_same_path_or_a_librarys_or_a_preset(choice):
    group, _, option = choice.partition("=")
    content = yaml.safe_load(GROUPS[group][option].read_text())
    target = content.get(group, {}).get("_target_") or content.get("_target_")
    presets = [entry for entry in content.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    if target is None:
        assert presets or option == "none", f"{choice} names neither a class nor a parent"
        assert all(preset in GROUPS[group] for preset in presets)
    elif target.startswith("lmlab."):
        module, _, name = target.rpartition(".")
        assert (ROOT / "src" / module.replace(".", "/")).with_suffix(".py").exists()
        nothing = f"no{group.split('/')[-1]}"  # norm/none.py holds NoNorm
        assert name.lower() == nothing if option == "none" else name.lower().startswith(option.replace("_", ""))
        if group in ELSEWHERE:
            assert module.startswith(f"lmlab.{ELSEWHERE[group]}.{option}")
        else:
            assert module == f"lmlab.{group.replace('/', '.')}.{option}"


def test_every_model_and_every_part_of_one_names_its_paper():
    parts = {
        f"{group}={one}": path
        for group, found in GROUPS.items()
        if group.startswith("model")
        for one, path in found.items()
    }
    assert not [choice for choice, path in parts.items() if not tree.paper(path) and not choice.endswith("=none")]


def targets(block):
    """Every class of lmlab's that a block gives keys, however deep."""
    if isinstance(block, dict):
        has_keys = any(not key.startswith("_") for key in block)
        if has_keys and str(block.get("_target_", "")).startswith("lmlab."):
            yield block["_target_"]
        for value in block.values():
            yield from targets(value)


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if not choice.startswith(("paper=", "sweep="))])
def test_a_constructor_names_its_keys_so_that_their_types_are_checked(choice):
    group, _, option = choice.partition("=")
    for target in targets(yaml.safe_load(GROUPS[group][option].read_text())):
        parameters = inspect.signature(get_object(target)).parameters.values()
        assert not [one.name for one in parameters if one.kind is one.VAR_KEYWORD], target


@pytest.mark.parametrize("path", sorted((ROOT / "experiments/paper").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_paper_states_what_it_is_held_against(path):
    name = path.relative_to(ROOT / "experiments/paper").with_suffix("").as_posix()
    expected = config.compose([f"paper={name}"]).expected
    assert {"metric", "published", "tolerance", "direction", "source", "budget"} <= set(expected)
    assert expected.direction in ("minimize", "maximize")


def test_a_paper_changes_the_model_by_a_preset_alone():
    for path in (ROOT / "experiments/paper").rglob("*.yaml"):
        assert "model" not in yaml.safe_load(path.read_text()), "so that paper=X model=lstm is clean"


TRAINABLE = ("model", "optimizer", "schedule", "batch", "tokenizer", "head", "task", "trainer")


def is_size(choice):
    """Whether it is a preset of a preset, and changes values alone: a published model in another size."""
    group, _, option = choice.partition("=")
    content = yaml.safe_load(GROUPS[group][option].read_text())
    parents = [entry for entry in content.get("defaults", []) if entry != "_self_"]
    if "_target_" in content or len(parents) != 1 or not isinstance(parents[0], str):
        return False
    return "_target_" not in yaml.safe_load(GROUPS[group][parents[0]].read_text())


TRAINED = [choice for choice in CHOICES if choice.split("/")[0].split("=")[0] in TRAINABLE and not is_size(choice)]
NEEDS = {
    "batch=streams": ["model=lstm"],
    "tokenizer=unigram": ["tokenizer.vocab_size=60"],
    "batch=cooccurrences": ["model=glove"],
    "head=least_squares": ["model=glove"],
    "schedule=plateau": ["trainer.val_check_interval=1"],
    "tokenizer=pretrained": ["tokenizer.path={pretrained}"],
}


@pytest.mark.parametrize("choice", sorted(set(CHOICES) - set(TRAINED)))
def test_every_option_composes_and_every_key_of_it_is_taken(choice):
    values.check(config.compose(in_place(choice)))


def article(number):
    """A paragraph with a question that it answers and one that it does not, in the JSON of SQuAD."""
    asked = {"id": f"{number}", "question": "who?", "answers": [{"text": f"ann {number}", "answer_start": 0}]}
    other = {"id": f"{number} b", "question": "when?", "answers": []}
    return {"title": f"{number}", "paragraphs": [{"context": f"ann {number} slept", "qas": [asked, other]}]}


def pictures(folder):
    """A table of images, each with a caption."""
    lines = ["image,text"]
    for number in range(30):
        Image.new("L", (4, 4), 8 * number).save(folder / f"{number}.png")
        lines.append(f"{number}.png,grey {number % 7}")
    (folder / "pictures.csv").write_text("\n".join(lines) + "\n")
    return folder / "pictures.csv"


@pytest.fixture(scope="module")
def small_data(tmp_path_factory):
    """Task -> what makes its data small."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "table.csv").write_text(
        "text,label\n" + "".join(f"text {number},{'ab'[number % 2]}\n" for number in range(60))
    )
    (folder / "tagged.conll").write_text("".join(f"a{number} B-A\nb I-A\nc O\n\n" for number in range(60)))
    for split in ("train", "dev", "test"):
        (folder / f"{split}.json").write_text(json.dumps({"data": [article(number) for number in range(9)]}))
    chats = ([{"role": "user", "content": f"ask {n}"}, {"role": "assistant", "content": f"say {n}"}] for n in range(60))
    (folder / "chats.jsonl").write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    pairs = ["data=dates", "data.num_train=60", "data.num_val=4", "data.num_test=4", "decoding.max_tokens=4"]
    tones = [
        "data.num_letters=3",
        "data.longest=3",
        "data.num_train=9",
        "data.num_val=3",
        "data.num_test=3",
        "batch.seq_len=200",
    ]
    return {
        "classification": ["data=table", f"data.path={folder / 'table.csv'}"],
        "tagging": ["data=columns", f"data.path={folder / 'tagged.conll'}"],
        "question_answering": ["data=squad_files", f"data.root={folder}", "batch.question_len=4", "batch.stride=4"],
        "generative_question_answering": ["data=squad_files", f"data.root={folder}", "decoding.max_tokens=4"],
        "dialogue": ["data=chat", f"data.path={folder / 'chats.jsonl'}", "batch.seq_len=60", "decoding.max_tokens=4"],
        "sequence_to_sequence": pairs,
        "translation": pairs,
        "summarization": pairs,
        "speech_recognition": tones,
        "image_text": ["data=image_table", f"data.path={pictures(folder)}", "data.size=4", "decoding.max_tokens=4"],
    }


@pytest.mark.parametrize("choice", TRAINED)
def test_every_option_trains_two_steps_or_is_an_encoder_and_says_so(choice, tiny, pretrained, small_data, capsys):
    placed, task = in_place(choice), task_of(choice)
    small = [word for word in tiny() if word.split("=")[0] != choice.split("=")[0]]
    if task in small_data:
        small = [word for word in small if not word.startswith("data")] + small_data[task]
    needed = [word.format(pretrained=pretrained) for word in NEEDS.get(choice, [])]
    refusal, composed = None, config.compose([*placed, *needed])
    if task == "word_embedding":
        small = [word for word in small if not word.startswith("tokenizer=")]
        needed += [] if "tokenizer.min_count" in " ".join(needed) else ["tokenizer.min_count=1"]
    small = with_place(small, composed)
    small += ["model.attention.num_heads=4"] if "attention" in composed.model else []
    if choice.startswith("model") and task is None:
        refusal = why_no_decoder(config.compose([*small, *placed]))
    before = runs()
    code = cli.run(["train", *small, *[word for word in placed if word not in small], *needed, "fresh=true"])
    said = capsys.readouterr()
    if refusal is None:
        assert code == 0, said.err
        assert "2 steps" in said.out
    else:
        assert (code, said.err) == (2, f"lmlab: {refusal}\n")
        assert runs() == before


def with_place(words, composed):
    """Those whose key the model or the batch has, if they are about it."""
    about = ("model.", "batch.")
    return [word for word in words if not word.startswith(about) or config.has(composed, word.split("=")[0])]


def why_no_decoder(composed):
    """The sentence of a model that cannot do what language modelling needs; None where it can."""
    try:
        with torch.device("meta"):
            model = config.build(composed, "model")(vocab_size=7, causal=True)
            model(torch.zeros(1, 2, dtype=torch.long))
    except Mistake as mistake:
        return str(mistake)
    return None


def runs():
    """The run folders that there are."""
    return sorted(Path(os.environ["LMLAB_RUNS"]).glob("*/*"))
