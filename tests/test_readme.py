"""What the documentation says is true: its commands work, its names and files exist, its tables are current."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from omegaconf import OmegaConf

from lmlab import cli, config, tree
from lmlab.launcher import space

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md")
READMES = PAGES[:2]
COMPOSED = {"train": "train", "check": "train", "prepare": "train"} | {
    verb: verb for verb in ("evaluate", "generate", "predict", "neighbors", "export")
}
TINY = (
    "batch.size=4", "batch.seq_len=12", "model.num_layers=1", "trainer.max_steps=2", "trainer.accelerator=cpu",
    "trainer.threads=1", "samples.num=1", "samples.max_tokens=5", "logger=none",
)  # fmt: skip


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def marked(page: str, name: str) -> str:
    found = re.search(rf"<!-- {name}:begin -->(.*?)<!-- {name}:end -->", read(page), flags=re.DOTALL)
    assert found, f"{page} has no part {name}"
    return found[1]


def commands(text: str) -> list[list[str]]:
    """The words of every line of a shell block."""
    lines = "\n".join(blocks(text, "bash")).split("\n")
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def lmlab_commands(page: str) -> list[list[str]]:
    return [words[1:] for words in commands(read(page)) if words[0] == "lmlab"]


EVERY = {" ".join(words): words for page in PAGES for words in lmlab_commands(page)}
TEN = [words[1:] for words in commands(marked("README.md", "ten"))]


def jobs(overrides: list[str]) -> Iterator[list[str]]:
    """The command lines of the jobs that a sweep over these overrides would run."""
    found = space.read(overrides, config.compose([]))
    return iter([found.first().overrides(found.constant, None)]) if found.drawn else found.command_lines()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of CONTRIBUTING is the folder in which one stands."""
    monkeypatch.chdir(ROOT / "tests" / "example")
    monkeypatch.syspath_prepend(ROOT / "tests" / "example")


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize("line", EVERY)
def test_every_command_of_the_documentation_composes(line, capsys):
    verb, *words = EVERY[line]
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    if verb in COMPOSED:
        for job in jobs(overrides):
            composed = config.compose(job, config_name=COMPOSED[verb], verb=verb)
            assert OmegaConf.to_container(composed, resolve=True)
    elif verb == "resume":
        config.compose(overrides)
    elif verb == "reproduce":
        assert config.compose([f"paper={words[0]}", *overrides]).expected.metric
    elif verb == "list":
        assert cli.run([verb, *words]) == 0
    else:
        assert cli.run([verb, "--help"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", TEN, ids=" ".join)
def test_the_ten_experiments_train(words, tiny_text, tmp_path, capsys):
    _, *overrides = words
    overrides = [word for word in overrides if word != "-m" and not word.startswith("data.path=")]
    small = [] if any(word.startswith("model.params=") for word in overrides) else ["model.dim=16"]
    sources = ["data=text", f"data.path={tiny_text}"]
    tokenizer = [] if "tokenizer=unigram" in overrides else ["tokenizer=char"]
    own = [word for word in overrides if word != "data=text"]
    for job in jobs([*own, *small]):
        command = ["train", *sources, *tokenizer, *job, *TINY, f"output_dir={tmp_path}"]
        assert cli.run(without_earlier(command)) == 0, capsys.readouterr().err
    assert "weights sha256" in capsys.readouterr().out


def without_earlier(words: list[str]) -> list[str]:
    """Each key once, with its last value."""
    last = {word.partition("=")[0]: word for word in words[1:]}
    return ["train", *last.values()]


def test_there_are_ten_experiments_and_no_two_do_the_same():
    assert len({" ".join(words) for words in TEN}) == 10


@pytest.mark.slow
def test_the_commands_that_read_a_run_work(tiny_text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMLAB_RUNS", str(tmp_path / "runs"))
    data = ["data=text", f"data.path={tiny_text}", "tokenizer=char", "model.attention.num_heads=2"]
    tiny = [word for word in TINY if not word.startswith("trainer.max_steps")]
    assert cli.run(["train", *data, *tiny, "trainer.max_steps=2", "model.dim=16", "name=wide"]) == 0
    readers = ("resume", "rerun", "diff", "evaluate", "generate", "report", "runs", "export")
    for words in lmlab_commands("README.md"):
        if words[0] in readers and words[1] != "heads" and "strategy=fsdp" not in words:  # a sweep, and two ranks
            small = [word.replace("=2000", "=4") for word in words]
            small += ["max_tokens=5"] if words[0] == "generate" else []
            assert cli.run(small) == 0, (words, capsys.readouterr().err)
    assert "世界!" in capsys.readouterr().out


@pytest.mark.slow
def test_the_example_of_contributing_trains_from_a_folder_outside_the_repository(tiny_text, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "tests" / "example", folder)
    data = ["data=text", f"data.path={tiny_text}", "tokenizer=char", f"output_dir={tmp_path}", "model.dim=16"]
    own = ["model/position=log_distance", "model.position.slope=0.25"]
    command = [Path(sys.executable).parent / "lmlab", "train", *own, *data, *TINY]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "weights sha256" in done.stdout


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    specification = importlib.util.spec_from_file_location("docs", ROOT / "scripts" / "docs.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_options_and_shown_files_are_current(docs):
    for name in docs.PAGES:
        assert docs.page(name) == read(name), f"{name} is out of date: make docs"


def test_the_output_of_a_demo_is_shown_as_a_terminal_shows_it(docs):
    output = f"step 1\rstep 2\r\n\x1b[1mrun folder\x1b[0m {ROOT}/runs/lmlab/x \n"
    assert "```text\nstep 2\nrun folder runs/lmlab/x\n```\n" in docs.page("README.md", output)


def test_both_readmes_have_the_same_commands():
    assert commands(read("README.md")) == commands(read("README.zh-CN.md"))
    assert blocks(read("README.md"), "python") == blocks(read("README.zh-CN.md"), "python")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)\)", read(page))
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", READMES)
def test_the_tree_names_what_is_there(page):
    (listing,) = blocks(marked(page, "tree"), "text")
    parents = [ROOT]
    for line in listing.rstrip().split("\n"):
        depth = (len(line) - len(line.lstrip())) // 2
        path = parents[depth] / line.split()[0]
        assert path.exists(), path
        parents[depth + 1 :] = [path]


@pytest.mark.parametrize("page", READMES)
def test_paths_in_the_text_exist(page):
    paths = re.findall(r"`((?:src|conf|experiments|tests|scripts)/[\w./]*)`", read(page))
    theirs = {"src/train.py", "src/eval.py"}  # lightning-hydra-template's
    assert not [path for path in paths if path not in theirs and not (ROOT / path).exists()]


@pytest.mark.parametrize("page", READMES)
def test_the_names_that_people_come_from_have_the_counterparts_that_are_named(page):
    groups, keys = tree.groups(), known_keys()
    rows = [row for table in re.findall(r"^\| [\w-]+ \| lmlab \|\n\|---\|---\|\n((?:\|.*\n)+)", read(page), re.MULTILINE)
            for row in table.strip().split("\n")]  # fmt: skip
    assert len(rows) > 30
    for row in rows:
        for name in re.findall(r"`([^`]+)`", row.split(" | ")[1]):
            assert is_known(name, groups, keys), f"{page} names {name}, which is not there"


def known_keys() -> set[str]:
    compositions = ([], ["model=lstm", "optimizer=adamw", "data=ptb"])
    return {key for overrides in compositions for key in config.dotted(config.compose(overrides))} | set(
        config.dotted(config.compose([], config_name="generate"))
    )


def is_known(name: str, groups: dict, keys: set[str]) -> bool:
    if name.startswith("lmlab "):
        return name.split()[1] in cli.VERBS
    if "/" in name and (ROOT / name).exists():
        return True
    key, sign, _ = name.strip("'").partition("=")
    return key in groups or key in keys or (not sign and name in WORDS)


WORDS = ("metrics.jsonl", "./conf", "16-mixed", "bf16-mixed", "-m")


@pytest.mark.parametrize("page", READMES)
def test_python_in_the_readme_runs(page):
    found = blocks(read(page), "python")
    assert found, "a page that shows none would pass"
    for block in found:
        exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize("page", READMES)
def test_exit_codes_and_verbs_are_those_of_the_command(page):
    for code in range(4):
        assert f"| {code} |" in read(page)
    named = set(re.findall(r"`lmlab (\w+)", read(page)))
    assert named <= set(cli.VERBS)


def targets(path: Path) -> Iterator[str]:
    yield from re.findall(r"^([a-z-]+):", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_make_command_of_the_documentation_is_a_target():
    there = set(targets(ROOT / "Makefile"))
    for page in PAGES:
        for words in commands(read(page)):
            if words[0] == "make":
                assert {word for word in words[1:] if "=" not in word} <= there
