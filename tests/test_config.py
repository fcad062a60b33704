"""The command line's grammar: Hydra's, but plain text is taken as it is."""

import os
import random
import subprocess
import sys

import pytest
import yaml
from hydra import compose
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError

from lmlab import cli, config
from lmlab.launcher import space
from lmlab.types import Mistake

FRONT = {
    "prompt": "generate",
    "text": "predict",
    "second": "predict",
    "word": "neighbors",
    "analogy": "neighbors",
    "checkpoint": "generate",
    "path": "export",
}
WITH = {
    "data.root": ["data=ptb"],
    "tokenizer.path": ["tokenizer=pretrained"],
    "tokenizer.pattern": ["tokenizer=word"],
    "task.evaluation": ["task=word_embedding"],
    **{f"model.{side}.embedding.init_from": ["model=seq2seq"] for side in ("encoder", "decoder")},
    **{f"data.{key}": ["data=text"] for key in ("path", "val_path", "test_path")},
    **{f"data.{part}{side}_path": ["data=parallel"] for part in ("", "val_", "test_") for side in ("source", "target")},
    "data.layout.separator": ["data=pair_table"],
    **{f"data.{key}": ["data=image_table"] for key in ("folder", "suffix")},
    "head.text.embedding.init_from": ["task=image_text"],
    **{f"data.{key}": ["data=labelled_files"] for key in ("separator", "label_separator", "label_until", "join")},
}
KEYS = sorted(config.TEXT)
NASTY = [
    "What's up, 世界!", "a (1).txt", "C:\\new\\text\\", "a=b=c", "[1,2", "{a: b}", "$HOME", "${seed}", "\\${seed}",
    "\\\\${seed} and ${x", "it's \\'quoted\\'", '"', "'", "\\'", "\\", "\\\\", "a,b", "range(3)", "glob(*)", "true", "1e5",
    "  spaces  ", "tab\there", "line\nbreak", "#no comment", "@at", "~home", "+plus", "a: b", "- a", "%", "*?.txt", "💡", "",
    "نص", "null ", "${oc.env:HOME}", "$$", "\\$", "????", "!!python/none", "0x10", "key=value,key2=[a,b]",
]  # fmt: skip


def composed(key, text):
    made = config.compose([*WITH.get(key, []), f"{key}={text}"], config_name=FRONT.get(key, "train"))
    value = config.plain(made)
    for part in key.split("."):
        value = value[part]
    return value


def parsed(key, text):
    (override,) = config.parse([config.quoted(f"{key}={text}")])
    return OmegaConf.create({"value": override.value()}).value


@pytest.mark.parametrize(
    "line",
    [
        "",
        "model=seq2seq model@model.encoder=gru",
        "model=llama3_1b ~model.position.scaling +trainer.foo=3 paper=zaremba2014/small",
    ],
)
def test_without_hydras_own_node_it_is_what_hydra_composes(line):
    with config.entered():
        theirs, ours = compose("train", line.split()), config.without_hydra("train", config.parse(line.split()))
    assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs)
    with pytest.raises(ConfigAttributeError):
        ours.nothing = 1  # as Hydra's, it takes no new key


def test_a_file_that_is_remembered_is_read_again_when_it_changes_and_stays_what_it_is(tmp_path, monkeypatch):
    (tmp_path / "conf/schedule").mkdir(parents=True)
    page = tmp_path / "conf/schedule/constant.yaml"
    monkeypatch.chdir(tmp_path)
    for steps in (4, 5):
        page.write_text(f"# Mine\nwarmup_steps: {steps}\nmore: [1, {{deep: 2}}]\n")
        for _ in range(2):
            found = config.compose(["schedule=constant", "schedule.more=[3]", "seed=17"])
            assert found.schedule.warmup_steps == steps
            assert config.compose(["schedule=constant"]).schedule.more == [1, {"deep": 2}]
            found.schedule.warmup_steps = -1
    page.unlink()
    assert "more" not in config.compose(["schedule=constant"]).schedule


def test_a_page_of_the_users_own_may_speak_of_hydra(tmp_path, monkeypatch):
    (tmp_path / "conf/paper").mkdir(parents=True)
    page = "# @package _global_\ndefaults: [override /hydra/job_logging: disabled]\nhydra: {verbose: true}\nseed: 17\n"
    (tmp_path / "conf/paper/own.yaml").write_text(page)
    (tmp_path / "conf/paper/two.yaml").write_text("# @package _global_\nhydra: {verbose: true}\nseed: 18\n")
    monkeypatch.chdir(tmp_path)
    for name, seed in {"own": 17, "two": 18}.items():
        found = config.compose([f"paper={name}"])
        assert found.seed == seed
        assert "hydra" not in found


@pytest.mark.parametrize("key", KEYS)
def test_text_is_taken_as_it_is_typed(key):
    assert composed(key, "What's \\ ${up}, '世界'! [1,2 = $HOME\\") == "What's \\ ${up}, '世界'! [1,2 = $HOME\\"
    for text in NASTY:
        assert parsed(key, text) == text


def test_text_of_random_characters_is_taken_as_it_is_typed():
    draw = random.Random(0)
    for _ in range(1000):
        text = "".join(draw.choices("\\\\\\'\"${}=,[]() a世:#~+-@!?&|<>%*`\n", k=draw.randint(1, 9)))
        assert parsed("prompt", text) == text


@pytest.mark.parametrize("key", KEYS)
def test_null_is_null_where_a_key_may_be_null_and_else_a_word(key):
    assert composed(key, "null") == (None if key in config.OPTIONAL_TEXT else "null")


def test_a_stored_configuration_keeps_text_that_looks_like_an_interpolation(tmp_path):
    for text in NASTY:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"samples": {"prompt": text}, "tags": [text]}), encoding="utf-8")
        stored = config.stored(path)
        assert stored.samples.prompt == text
        assert config.plain(stored) == {"samples": {"prompt": text}, "tags": [text]}


def test_changes_of_a_stored_configuration_are_read_like_a_command_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("name: null\ntrainer: {max_steps: 3}\n")
    changed = config.changed(config.stored(path), ["trainer.max_steps=5", "name=it's ${odd}"])
    assert (changed.trainer.max_steps, changed.name) == (5, "it's ${odd}")
    with pytest.raises(Mistake, match=r"did you mean trainer\.max_steps"):
        config.changed(config.stored(path), ["trainer.max_step=5"])


def test_values_keep_their_types():
    made = config.compose(
        ["seed=3", "optimizer.lr=1e-3", "tags=[a,b]", "model.params=null", "fresh=true", "project='7'"]
    )
    assert (made.seed, made.optimizer.lr, list(made.tags)) == (3, 0.001, ["a", "b"])
    assert (made.model.params, made.fresh, made.project) == (None, True, "7")


def test_interpolation_points_to_another_key():
    assert config.compose(["model.dim=${batch.seq_len}", "batch.seq_len=24"]).model.dim == 24


def test_what_is_chosen_brings_its_parts_and_what_is_typed_wins():
    made = config.compose(["model.num_layers=3", "model=lstm"])
    assert (made.model.num_layers, made.model.cell._target_) == (3, "lmlab.model.cell.lstm.Lstm")


def decoding(*words):
    return config.compose(words).decoding._target_.rpartition(".")[2]


def test_a_head_brings_its_decoding_where_there_is_a_place_for_it_and_nothing_else_is_typed():
    speech = "task=speech_recognition"
    assert [decoding(speech, f"head={head}") for head in ("ctc", "attention", "joint")] == [
        "CtcGreedy",
        "Attention",
        "Joint",
    ]
    assert decoding(speech, "head=joint", "decoding=ctc_beam") == "CtcBeam"
    assert decoding("task=translation", "head=joint") == "Options"
    assert "brings" not in config.compose([speech, "head=joint"]).head


def test_a_paper_changes_the_parts_and_what_is_typed_wins():
    made = config.compose(["paper=zaremba2014/small", "model=gru", "batch.size=7"])
    assert (made.model.cell._target_, made.batch.size) == ("lmlab.model.cell.gru.Gru", 7)
    assert made.schedule._target_ == "lmlab.schedule.step.Step"


PAIR = ("model=seq2seq", "model/encoder=gru", "model/decoder=transformer", "model/cross_attention=dot")


def parts(*overrides):
    model = config.compose(overrides).model
    return [node and node._target_.rpartition(".")[2] for node in (model.encoder, model.decoder, model.cross_attention)]


def test_a_part_is_chosen_by_the_place_where_it_stands():
    assert parts(*PAIR) == ["Recurrent", "Transformer", "Dot"]
    assert parts(*(word.replace("/", ".") for word in PAIR)) == ["Recurrent", "Transformer", "Dot"]
    assert parts("model=seq2seq", "model@model.decoder=transformer")[1] == "Transformer"
    made = config.compose([*PAIR, "model/encoder/cell=rnn", "model.cross_attention.num_heads=2", "model.dim=24"]).model
    assert made.encoder.cell._target_.endswith("Rnn")
    assert (made.decoder.cross_attention.num_heads, made.encoder.dim, made.decoder.dim) == (2, 24, 24)
    assert config.compose(["model/cross_attention=dot"]).model.cross_attention._target_.endswith("Dot")


@pytest.mark.parametrize(
    "typed", ["model/cross_attention=none", "model.cross_attention=null", "~model/cross_attention"]
)
@pytest.mark.parametrize("model", ["seq2seq", "luong2015", "lstm"])
def test_a_part_that_one_can_do_without_is_taken_away(typed, model):
    assert config.compose([f"model={model}", typed]).model.cross_attention is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("model/encoder=lsmt", r"there is no model/encoder=lsmt; did you mean lstm\? lmlab list model/encoder"),
        ("model/cross_attention=nune", "there is no model/cross_attention=nune; did you mean none"),
        ("model/encodr=lstm", "did you mean model/encoder"),
        ("model/cross_atention=dot", "did you mean model/cross_attention"),
        ("model/encoder=none", "there is no model/encoder=none"),
        ("~model/decoder", "model/decoder cannot be taken away"),
        ("model/encoder/pattern=full", "model/encoder/pattern has no place here: .* model/encoder=transformer has it"),
        ("model/decoder/cross_attention=dot", "is chosen for the whole model: model/cross_attention=dot"),
        ("+model/decoder=lstm", "a choice is written without +"),
        ("model/decoder=lstm,gru", "model/decoder=lstm,gru means several experiments"),
    ],
)
def test_a_part_that_is_not_there_is_answered_by_the_place_that_was_typed(typed, said):
    with pytest.raises(Mistake, match=said.replace("+", r"\+")):
        config.compose(["model=seq2seq", typed])


def test_a_place_that_another_model_has_names_that_model():
    with pytest.raises(Mistake, match="model=seq2seq has it"):
        config.compose(["model/encoder=lstm"])


@pytest.mark.parametrize("typed", ["logger=none", "logger=null", "logger=[]", "~logger"])
def test_no_logger_is_written_in_every_way_that_one_tries(typed):
    assert not config.compose([typed]).get("logger")


def test_loggers_are_taken_together():
    assert set(config.compose(["logger=[wandb,tensorboard]"]).logger) == {"wandb", "tensorboard"}


def test_null_chooses_the_option_none():
    assert config.compose(["model/position=null"]).model.position._target_ == "lmlab.model.position.none.NoPosition"
    assert config.compose(["paper=null"]).expected is None


def test_a_plus_adds_a_key_below_a_part_that_takes_it():
    assert config.compose(["+trainer.detect_anomaly=true"]).trainer.detect_anomaly is True
    assert config.compose(["++seed=4"]).seed == 4


def test_a_tilde_takes_away_what_has_a_default_of_its_own():
    assert "eps" not in config.compose(["optimizer=adamw", "~optimizer.eps"]).optimizer


def test_the_users_own_folders_are_searched_first(tmp_path, monkeypatch):
    own = tmp_path / "conf" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# My own\ndefaults: [lstm, _self_]\ndim: 33\n")
    monkeypatch.chdir(tmp_path)
    assert config.compose(["model=mine"]).model.dim == 33
    elsewhere = tmp_path / "more" / "data"
    elsewhere.mkdir(parents=True)
    (elsewhere / "novels.yaml").write_text("# Novels\ndefaults: [text, _self_]\npath: novels\n")
    monkeypatch.setenv("LMLAB_CONF", str(tmp_path / "more"))
    assert config.compose(["data=novels"]).data.path == "novels"


# Flags.


def printed(capsys, *arguments):
    assert cli.run(["train", *arguments]) == 0
    return capsys.readouterr().out


def test_cfg_job_prints_the_configuration_as_it_stands(capsys):
    out = printed(capsys, "model.dim=24", "--cfg", "job")
    assert yaml.safe_load(out)["model"]["dim"] == 24
    assert "max_tokens: null" in out
    assert "${oc.env:LMLAB_RUNS,runs}" in out


def test_resolve_follows_interpolations(capsys):
    out = yaml.safe_load(printed(capsys, "--cfg=job", "--resolve"))
    assert out["output_dir"] == os.environ["LMLAB_RUNS"]


def test_cfg_hydra_and_all_print_hydras_own_node(capsys):
    assert list(yaml.safe_load(printed(capsys, "-c", "hydra"))) == ["hydra"]
    assert {"hydra", "model", "trainer"} <= set(yaml.safe_load(printed(capsys, "--cfg", "all")))


def test_package_prints_one_part(capsys):
    out = printed(capsys, "model=lstm", "--cfg", "job", "-p", "model.cell")
    assert out.startswith("# @package model.cell\n")
    assert yaml.safe_load(out)["_target_"] == "lmlab.model.cell.lstm.Lstm"
    assert printed(capsys, "model=lstm", "--cfg", "job", "--package=model.cell") == out


def test_flags_may_stand_anywhere(capsys):
    assert printed(capsys, "--cfg", "job", "seed=5") == printed(capsys, "seed=5", "--cfg", "job")


def test_what_was_printed_composes_the_same_again(capsys, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(printed(capsys, "model=gru", "--cfg", "job", "--resolve"))
    assert config.plain(config.stored(path)) == config.plain(config.compose(["model=gru"]))


# Several experiments.


def jobs(*overrides):
    """The command lines of a sweep's jobs, what varies last."""
    return list(space.read(overrides, config.compose([])).command_lines())


def test_a_sweep_varies_a_part_by_its_place():
    assert jobs("model=seq2seq", "model/decoder=lstm,transformer", "model/cross_attention=none,dot") == [
        ["model=seq2seq", f"model/decoder={decoder}", f"model/cross_attention={score}"]
        for decoder in ("lstm", "transformer")
        for score in ("none", "dot")
    ]


def test_a_sweep_is_the_product_of_its_choices_the_last_varying_fastest_and_the_seed_inmost():
    assert jobs("seed=range(2)", "model=lstm,gru", "name=a,b") == [
        ["name=a,b", "model=lstm", "seed=0"],
        ["name=a,b", "model=lstm", "seed=1"],
        ["name=a,b", "model=gru", "seed=0"],
        ["name=a,b", "model=gru", "seed=1"],
    ]


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("seed=1,2", ["1", "2"]),
        ("seed=range(1,4)", ["1", "2", "3"]),
        ("optimizer.lr=choice(0.1,0.2)", ["0.1", "0.2"]),
        ("tags=[a,b],[c]", ["[a,b]", "[c]"]),
        ("model.params=1M,null", ["1M", "null"]),
        ("logger=[wandb,tensorboard],none", ["[wandb,tensorboard]", "none"]),
    ],
)
def test_choices_are_swept_as_hydra_writes_them(typed, values):
    assert [job[0].partition("=")[2] for job in jobs(typed)] == values


# Light.

HEAVY = ("torch", "pytorch_lightning", "wandb", "matplotlib", "hydra", "transformers", "numpy", "pandas")


@pytest.mark.parametrize(
    "line",
    ["--help", "--version", "train --help", "generate --help", "list optimizer", "completion query lmlab_train_mo"],
)
def test_help_and_completion_load_nothing_heavy(line):
    words = [word.replace("_", " ") if word.startswith("lmlab_") else word for word in line.split(" ")]
    composes = words[0] in ("train", "generate", "list")
    light = [name for name in HEAVY if not (composes and name == "hydra")]  # Hydra takes a tenth of a second
    code = f"import sys; from lmlab import cli; cli.run({words!r}); print([m for m in {list(light)!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_presets_values_for_a_part_go_with_the_part():
    found = config.compose(["model=gpt2", "model/position=alibi", "model.norm=rms_norm"]).model
    assert "max_length" not in found.position
    assert found.norm == {"_target_": "lmlab.model.norm.rms_norm.RmsNorm", "_partial_": True, "eps": 1e-6}
    assert config.compose(["model=gpt2", "model/position=learned"]).model.position.max_length == 1024
    feedforward = config.compose(["model=gpt2", "model/feedforward=relu"]).model.feedforward
    assert (feedforward.bias, feedforward.activation) == (True, {"_target_": "torch.nn.ReLU"})
    pair = config.compose(["model=transformer_base", "model/encoder/norm=rms_norm"]).model
    assert "bias" not in pair.encoder.norm
    assert pair.decoder.norm.bias
    kept = config.compose(["model=gpt2", "model/position=alibi", "model.position.max_length=5"]).model
    assert kept.position.max_length == 5, "what is typed is left for the check to refuse"
