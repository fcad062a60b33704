"""The YAML files as documentation: every option has a line, every key a comment; and as what completion answers from."""

from pathlib import Path

import pytest
import yaml

from lmlab import cli, config, tree
from lmlab.command import completion

ROOT = Path(__file__).resolve().parents[1]
CONF = sorted((ROOT / "conf").rglob("*.yaml"))
EVERY = [*CONF, *sorted((ROOT / "experiments").rglob("*.yaml"))]

SELF_EVIDENT = {
    "num_layers", "num_heads", "bias", "eps", "adamw_eps", "adamw_betas", "activation", "approximate", "momentum",
    "encoding", "devices", "num_nodes", "logger", "name", "num", "temperature", "test", "test_path",
}  # fmt: skip
"""Names that say what they are, or that the line before explains."""

ids = {"ids": lambda path: path.relative_to(ROOT).as_posix()}


@pytest.mark.parametrize("path", EVERY, **ids)
def test_every_file_says_in_a_line_what_it_is(path):
    assert len(tree.describe(path)) > 10
    assert not tree.describe(path).startswith("_target_")


@pytest.mark.parametrize("path", CONF, **ids)
def test_every_key_has_a_comment_here_or_in_the_parent(path):
    explained = SELF_EVIDENT.union(*(commented(parent) for parent in parents(path)))
    without = [key for key, has_comment in keys(path) if not has_comment and key not in explained]
    assert without == []


def parents(path):
    """The options that a preset starts from, and theirs."""
    for entry in yaml.safe_load(path.read_text()).get("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            yield path.with_name(f"{entry}.yaml")
            yield from parents(path.with_name(f"{entry}.yaml"))


def commented(path):
    return {key for key, has_comment in keys(path) if has_comment}


def keys(path):
    """Every leaf key, and whether its line, or that of the block that it stands in, has a comment."""
    text = path.read_text()
    lines = text.splitlines()

    def walk(node, inherited):
        for key, value in node.value:
            if key.value in ("defaults", "_target_", "_partial_"):
                continue
            is_explained = inherited or "#" in lines[key.start_mark.line]
            if isinstance(value, yaml.MappingNode) and value.value:
                yield from walk(value, is_explained)
            else:
                yield key.value, is_explained

    return list(walk(yaml.compose(text), inherited=False))


def test_the_help_of_train_shows_every_group_and_option_with_its_line(capsys):
    assert cli.run(["train", "--help"]) == 0
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for group, options in tree.groups().items():
        assert group in lines
        for option, path in options.items():
            assert f"{option} {tree.describe(path)}" in lines
    for key in ("seed: 0 #", "monitor: val/loss #", "keep: 2 #"):
        assert any(line.startswith(key) for line in lines), key


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_a_help_that_names_it(verb, capsys):
    if verb == "completion":
        pytest.skip("prints the script itself")
    assert cli.run([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: lmlab {verb}")


def test_the_front_help_names_every_verb(capsys):
    assert cli.run([]) == cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in cli.VERBS)


def test_list_shows_groups_and_options(capsys):
    assert cli.run(["list"]) == 0
    assert "model/attention" in capsys.readouterr().out
    assert cli.run(["list", "model/position"]) == 0
    out = capsys.readouterr().out
    assert {line.split()[0] for line in out.splitlines()[1:-1]} == set(tree.groups()["model/position"])
    assert "ALiBi" in out
    assert cli.run(["list", "model/cross_attention"]) == 0
    shown = capsys.readouterr().out.splitlines()[1:-1]
    assert {line.split()[0] for line in shown} == set(tree.groups()["model/attention"])


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("lmlab tr", ["train"]),
        ("lmlab train mod", ["model=", "model/attention=", "model.dim="]),
        ("lmlab train model=l", ["model=lstm"]),
        ("lmlab train model/attention=sc", ["model/attention=scaled_dot"]),
        ("lmlab train model=lstm model.c", ["model.cross_attention.num_heads="]),
        ("lmlab train data=text data.pa", ["data.path="]),
        ("lmlab train model=seq2seq model/enc", ["model/encoder="]),
        ("lmlab train model=seq2seq model/decoder=tr", ["model/decoder=transformer"]),
        ("lmlab train model=seq2seq model/decoder=transformer model.decoder.f", ["model.decoder.feedforward."]),
        ("lmlab list model/cr", ["model/cross_attention"]),
        ("lmlab train trainer.max_s", ["trainer.max_steps="]),
        ("lmlab train paper=zar", ["paper=zaremba2014/small"]),
        ("lmlab reproduce ", ["karpathy2022/shakespeare_cpu"]),
        ("lmlab list to", ["tokenizer"]),
        ("lmlab generate latest pro", ["prompt="]),
        ("lmlab evaluate lat", ["latest"]),
    ],
)
def test_completion_offers_what_may_follow(line, some):
    offered = completion.answers(line)
    last = line.split(" ")[-1]
    assert all(answer.startswith(last) for answer in offered)
    for answer in some:
        assert any(one.startswith(answer) for one in offered), offered


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_prints_a_script_for_the_shell(shell, capsys):
    assert cli.run(["completion", shell]) == 0
    assert "complete -o default -F _lmlab lmlab" in capsys.readouterr().out


def test_completion_offers_no_key_of_another_choice():
    offered = completion.answers("lmlab train model=lstm model.")
    assert "model.dim=" in offered
    assert not {"model.norm_first=", "model.attention.num_heads="} & set(offered)


@pytest.mark.parametrize(
    "choice", ["model=transformer", "model=gru", "model=seq2seq", "model=luong2015", "data=ptb", "optimizer=adagrad"]
)
def test_completion_offers_the_keys_that_there_are(choice):
    made = set(config.dotted(config.compose([choice, "logger=none"])))
    offered = set(tree.keys("train", [choice]))
    assert not {key for key in offered if key not in made and not key.startswith("logger")}
    assert {"seed", "trainer.max_steps", "checkpoint.every", "task.label_smoothing"} <= offered
