"""model.embedding: any model starts from word vectors, of a file or a run, trained further or left as they are."""

import numpy as np
import pytest
import torch

from lmlab import cli
from lmlab.exchange.vector_files import write
from lmlab.exchange.word_vectors import read
from lmlab.run import checkpoint
from lmlab.run.store import find
from lmlab.tokenizer.trained import load

WORDS = ["the", "cat", "never", "，"]
VECTORS = np.random.default_rng(1).normal(size=(4, 16)).astype(np.float32)


@pytest.fixture
def vectors(tmp_path):
    write(tmp_path / "vectors.txt", WORDS, VECTORS, format="word2vec")
    return tmp_path / "vectors.txt"


def words(tiny, *more):
    kept = [word for word in tiny() if not word.startswith("tokenizer=")]
    return [*kept, "tokenizer=word", *more]


def weights(folder, steps):
    run = find("latest", folder)
    return run, checkpoint.load(run.checkpoints / f"step_{steps:08d}.ckpt")["state_dict"]


@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_frozen_rows_are_those_of_the_file_to_the_end_and_after_a_resume(model, tiny, vectors, tmp_path, caplog):
    chosen = [f"model={model}", f"model.embedding.init_from={vectors}", "model.embedding.freeze=true"]
    more = [*chosen, "head.tie_weights=false", f"output_dir={tmp_path}", "checkpoint.every=1"]
    caplog.set_level("INFO")
    assert cli.run(["train", *words(tiny, *more)]) == 0
    assert "3 of" in caplog.text
    run, found = weights(tmp_path, 2)
    tokenizer = load(run.path / "tokenizer.json")
    rows = {tokenizer.token(index): found["model.embedding.weight"][index] for index in range(tokenizer.vocab_size)}
    for word, vector in zip(WORDS, VECTORS):
        assert word not in rows or torch.equal(rows[word], torch.from_numpy(vector))
    assert rows["sat"].abs().max() > 0
    assert cli.run(["resume", str(run.path), "trainer.max_steps=4"]) == 0
    assert torch.equal(weights(tmp_path, 4)[1]["model.embedding.weight"], found["model.embedding.weight"])


def test_rows_are_trained_further_where_nothing_is_frozen(tiny, vectors, tmp_path):
    assert cli.run(["train", *words(tiny, f"model.embedding.init_from={vectors}", f"output_dir={tmp_path}")]) == 0
    run, found = weights(tmp_path, 2)
    index = load(run.path / "tokenizer.json").encode("cat")[0]
    moved = (found["model.embedding.weight"][index] - torch.from_numpy(VECTORS[1])).abs().max()
    assert 0 < moved < 0.1


def test_the_vectors_of_a_run_are_exported_and_start_another(tiny, tmp_path):
    chosen = ["tokenizer.min_count=1", "batch.size=100", "task=word_embedding", "task.evaluation=null"]
    plain = [word for word in tiny() if not word.startswith(("tokenizer", "batch.", "model.num_layers"))]
    assert cli.run(["train", *plain, *chosen, f"output_dir={tmp_path}"]) == 0
    run = find("latest", tmp_path)
    assert cli.run(["export", str(run.path), "format=word2vec", f"path={tmp_path / 'v.txt'}"]) == 0
    found = read(tmp_path / "v.txt")
    assert {"the", "cat"} <= set(found.words)
    assert not {"<eos>", "<unk>"} & set(found.words)
    other = [
        f"model.embedding.init_from={run.path}",
        f"output_dir={tmp_path / 'other'}",
        "optimizer=sgd",
        "optimizer.lr=1e-9",
    ]
    assert cli.run(["train", *words(tiny, *other)]) == 0
    run, weight = weights(tmp_path / "other", 2)
    index = load(run.path / "tokenizer.json").encode("cat")[0]
    expected = torch.from_numpy(found.vectors[found.words.index("cat")])
    torch.testing.assert_close(weight["model.embedding.weight"][index], expected, atol=1e-6, rtol=0)


def test_latest_is_the_run_before_and_its_tokens_keep_their_spelling(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("LMLAB_RUNS", str(tmp_path))
    kept = [word for word in tiny() if not word.startswith("tokenizer=")]
    chosen = [*kept, "model=lstm", "tokenizer=bpe", "tokenizer.vocab_size=270", f"output_dir={tmp_path}"]
    assert cli.run(["train", *chosen]) == 0
    before = find("latest", tmp_path)
    more = ["seed=1", "model.embedding.init_from=latest", "model.embedding.freeze=true", "head.tie_weights=false"]
    assert cli.run(["train", *chosen, *more]) == 0
    run, found = weights(tmp_path, 2)
    assert run.config["model"]["embedding"]["init_from"] == str(before.path)
    expected = checkpoint.load(before.checkpoints / "best.ckpt")["state_dict"]["model.embedding.weight"]
    assert torch.equal(found["model.embedding.weight"], expected)


def test_a_model_of_words_starts_from_vectors_too(tiny, vectors, tmp_path, caplog):
    caplog.set_level("INFO")
    plain = [word for word in tiny() if not word.startswith(("tokenizer", "batch.", "model.num_layers"))]
    chosen = ["tokenizer.min_count=1", "batch.size=100", "task=word_embedding", "task.evaluation=null"]
    assert cli.run(["train", *plain, *chosen, f"model.embedding.init_from={vectors}", f"output_dir={tmp_path}"]) == 0
    assert "2 of" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [("xyz 1 2\nuvw 3 4\n", "has none of the"), ("the 1 2\ncat 3\n", "line 2 of"), ("no vectors\n", "holds no word")],
)
def test_a_file_that_is_of_no_use_is_refused_before_a_run_is_made(tiny, tmp_path, content, said, capsys):
    (tmp_path / "v.txt").write_text(content)
    chosen = ["model=lstm", "model.dim=2", f"model.embedding.init_from={tmp_path}/v.txt"]
    kept = [word for word in words(tiny) if not word.startswith("model.dim")]
    assert cli.run(["train", *kept, *chosen, f"output_dir={tmp_path / 'runs'}"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["model.embedding.init_from=/nowhere.txt"], "is neither a file of word vectors nor a run"),
        (["init_from=somewhere"], "set one of the two to null"),
        (["model.dim=8"], "set model.dim=16"),
        (["model.embedding.freeze=true"], "set head.tie_weights=false"),
        (["model.embedding.frieze=true"], "freeze"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(tiny, vectors, tmp_path, more, said, capsys):
    start = [] if more[0].startswith("model.embedding.init_from") else [f"model.embedding.init_from={vectors}"]
    kept = [word for word in words(tiny) if word.split("=")[0] != more[0].split("=")[0]]
    assert cli.run(["train", *kept, *start, *more, f"output_dir={tmp_path / 'runs'}"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
