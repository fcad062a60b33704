"""lmlab export RUN format=huggingface: a folder that transformers loads to the same logits."""

from pathlib import Path

from lmlab import config as configuration
from lmlab.command.load import weights_of
from lmlab.command.pretrained import architecture_for, described
from lmlab.command.stored import stored
from lmlab.exchange.folder import write
from lmlab.exchange.tensors import to_theirs
from lmlab.run.folder import RunFolder
from lmlab.tokenizer.trained import load


def export_folder(run: RunFolder, which: str, path: Path) -> Path:
    """config.json, model.safetensors and the tokenizer's files."""
    config = stored(run.path / "config.yaml")
    tokenizer = load(run.path / "tokenizer.json")
    causal = configuration.class_of(config, "task").causal
    about = described(config, causal=causal, vocab_size=tokenizer.vocab_size, eos=tokenizer.eos)
    architecture, theirs = architecture_for(config, about)
    tensors = to_theirs(architecture.rules(theirs), weights_of(run, which))
    write(path, theirs, tensors, {"run": run.id, "checkpoint": which}, tokenizer.files())
    return path
