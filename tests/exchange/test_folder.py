"""Folders in Hugging Face's format that a user may have: sharded, damaged, of another model, without a tokenizer."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

import lmlab
from lmlab import cli

SIZES = ["model.dim=16", "model.num_layers=1", "model.attention.num_heads=2", "model.position.max_length=16"]
GPT2 = ["model=gpt2", *SIZES, "model.dropout=0.0"]


@pytest.fixture(scope="module")
def whole(pretrained, tmp_path_factory):
    """A small GPT-2 with a tokenizer that has fewer tokens than the model."""
    path = tmp_path_factory.mktemp("folder") / "gpt2"
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=290, n_embd=16, n_layer=1, n_head=2, n_positions=16, bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(config).save_pretrained(path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pretrained / name, path)
    return path


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "gpt2")


@pytest.fixture
def train(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("LMLAB_RUNS", str(tmp_path / "runs"))

    def run(folder, *overrides):
        small = [word for word in tiny() if not word.startswith(("model.", "tokenizer="))]
        tokenizer = ["tokenizer=pretrained", f"tokenizer.path={folder}"]
        own = [f"output_dir={tmp_path}/runs", f"init_from={folder}", *(overrides or GPT2)]
        return cli.run(["train", *small, *([] if "tokenizer=byte" in own else tokenizer), *own])

    return run


def test_a_pretrained_model_goes_on_training_and_comes_back(folder, train, tmp_path, capsys):
    assert train(folder, *GPT2, "optimizer=sgd", "optimizer.lr=1e-9") == 0
    task, tokenizer = lmlab.load("latest")
    ids = torch.tensor([tokenizer.encode("the cat, 世界.\n the log")[:16]])
    assert tokenizer.vocab_size == 290
    logits = task.head(task.model(ids).states)
    before = AutoModelForCausalLM.from_pretrained(folder).eval()(ids).logits
    torch.testing.assert_close(logits, before, atol=1e-5, rtol=1e-5)
    capsys.readouterr()
    assert cli.run(["generate", "latest", "prompt=the", "max_tokens=3"]) == 0
    assert capsys.readouterr().out.startswith("the")
    assert cli.run(["export", "latest", "format=huggingface"]) == 0
    written = capsys.readouterr().out.strip()
    assert cli.run(["export", "latest", "format=huggingface", f"path={tmp_path}/other folder"]) == 0
    assert cli.run(["export", "latest", "format=huggingface", f"path={tmp_path}/other folder"]) == 0, "once more"
    for nowhere in ("/proc/x/y", f"{folder}/config.json"):
        assert cli.run(["export", "latest", "format=huggingface", f"path={nowhere}"]) == 2
        assert "cannot be written" in capsys.readouterr().err
    for place in (written, tmp_path / "other folder"):
        after = AutoModelForCausalLM.from_pretrained(place).eval()(ids).logits
        torch.testing.assert_close(after, logits, atol=1e-5, rtol=1e-5)
        theirs = AutoTokenizer.from_pretrained(place)
        assert (theirs.eos_token, theirs("the cat, 世界")["input_ids"]) == (
            "<|end|>",
            tokenizer.encode("the cat, 世界"),
        )


def sharded(folder):
    """The same weights in two files, which an index names."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    files = {name: f"model-{1 + (i > 3):05}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(files.values()):
        save_file({name: tensors[name] for name in names if files[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))


def test_a_sharded_folder_holds_the_same(folder, whole, train, tmp_path):
    sharded(folder)
    assert train(folder, *GPT2, "optimizer=sgd", "optimizer.lr=1e-9") == 0
    task, _ = lmlab.load("latest")
    theirs = load_file(whole / "model.safetensors")
    torch.testing.assert_close(
        task.model.embedding.weight.detach(), theirs["transformer.wte.weight"], atol=1e-6, rtol=0
    )


def without(name):
    return lambda folder: (folder / name).unlink()


def cut_off(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_a_shard(folder):
    sharded(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def edited(**changes):
    def edit(folder):
        content = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(content | changes))

    return edit


def renamed(before, after):
    def edit(folder):
        tensors = load_file(folder / "model.safetensors")
        tensors[after] = tensors.pop(before)
        save_file(tensors, folder / "model.safetensors")

    return edit


BIAS = "transformer.h.0.ln_1.bias"
DAMAGED = [
    (without("config.json"), "has no config.json"),
    (without("model.safetensors"), "has no model.safetensors and no model.safetensors.index.json"),
    (pickled, "pytorch_model.bin alone, a pickle"),
    (cut_off, "model.safetensors is damaged or cut off"),
    (without_a_shard, "lacks model-00002-of-00002.safetensors"),
    (without("tokenizer.json"), "has no tokenizer.json"),
    (edited(model_type="bloom"), "model_type=bloom; lmlab reads gpt2, bert, llama, qwen3, t5"),
    (edited(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx=True"),
    (edited(activation_function="quick_gelu"), "has the activation quick_gelu; lmlab reads gelu_new"),
    (renamed(BIAS, "transformer.h.0.ln_9.bias"), "transformer.h.0.ln_9.bias, for which there is no place"),
    (renamed("transformer.ln_f.bias", "lm_head.weight"), "lack transformer.ln_f.bias"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_folder_lacks_is_a_sentence(folder, train, damage, said, capsys):
    damage(folder)
    assert train(folder) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_another_model_is_refused_with_the_command_line_that_fits(folder, train, capsys):
    assert train(folder, "model=gpt2", "model.num_layers=3", "tokenizer=byte") == 2
    error = capsys.readouterr().err
    assert "model.dim=768 (16 there), model.num_layers=3 (1 there)" in error
    line = error.strip().partition("; give: ")[2]
    assert line == " ".join(["model=gpt2", *SIZES, "tokenizer=pretrained", f"tokenizer.path={folder}"])
    assert train(folder, *line.split()[:-2], "trainer.max_steps=1") == 0


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (["model=lstm"], "has no architecture for a Recurrent"),
        (
            ["model=gpt2", "model/position=alibi", "model.attention.num_heads=2"],
            "GPT-2, has no place for model.position=alibi (it has learned)",
        ),
    ],
)
def test_a_model_without_a_place_there_is_refused_with_the_choice_that_forces_it(choice, said, tiny, tmp_path, capsys):
    small = [word for word in tiny(f"output_dir={tmp_path}") if word not in choice]
    assert cli.run(["train", *small, *choice, "trainer.max_steps=1"]) == 0
    run = capsys.readouterr().out.split("run folder")[1].split()[0]
    assert cli.run(["export", run, "format=huggingface"]) == 2
    assert said in capsys.readouterr().err
