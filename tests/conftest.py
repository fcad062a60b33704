"""Every test works in a folder of its own: no cache, run or W&B login of whoever runs the tests is read or written."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TINY = (
    "data=text",
    "tokenizer=char",
    "batch.size=4",
    "batch.seq_len=12",
    "model.dim=16",
    "model.num_layers=1",
    "trainer.max_steps=2",
    "trainer.accelerator=cpu",
    "trainer.threads=1",
    "samples.num=1",
    "samples.max_tokens=5",
    "logger=none",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long are begun first: of two processes, neither has a long one left when the other is done."""
    weight: Counter[Path] = Counter()
    for item in items:
        weight[item.path] += 100 if item.get_closest_marker("slow") else 1
    items.sort(key=lambda item: -weight[item.path])


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the cache and the runs of this session lie."""
    folder = tmp_path_factory.mktemp("home")
    before = dict(os.environ)
    os.environ.update(LMLAB_CACHE=f"{folder}/cache", LMLAB_RUNS=f"{folder}/runs", WANDB_MODE="offline")
    yield folder
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of some 3,000 characters with words that come back, and some Chinese."""
    path = tmp_path_factory.mktemp("text") / "tiny.txt"
    path.write_text("the cat sat on the mat, and the dog lay by the log.\n你好，世界。\n" * 50, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(tiny_text: Path) -> Callable[..., list[str]]:
    """An experiment that trains in a fraction of a second, with overrides of its own."""
    return lambda *overrides: [*TINY, f"data.path={tiny_text}", *overrides]


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer as another program leaves it: bytes, some merges, and an end of a text called `<|end|>`."""
    folder = tmp_path_factory.mktemp("pretrained")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=["<|end|>"], initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(["the cat sat on the mat, and the dog lay by the log. 世界。"] * 9, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<|end|>"}')
    return folder
