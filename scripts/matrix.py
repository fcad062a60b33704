"""Every (model x attention x position x role) that the contract allows: built, held to the laws, trained on a copy task.

Usage: python scripts/matrix.py [tasks] [WORD ...] [--processes 2]

WORDs choose the cells whose name has all of them, such as `model=transformer encoder`. Prints each cell that failed, each that is
refused with its reason, and how many of how many passed; ends with 1 where one failed.

The laws: pieces with a state equal one pass; nothing looks ahead; padding and other documents change nothing; every parameter has
a gradient; compiled equals eager (aot_eager: the graph, not its kernels); saved and loaded are the same bits. The task: each row
hides one of eight symbols in noise; 50 steps must teach the model to write it (a decoder, at every place behind it), to name it
(an encoder, from the mean of its states) or to take it from the source. `tasks` tries every (task x model x head) instead: see
`scripts/task_matrix.py`.
"""

import argparse
import io
import logging
import math
import multiprocessing
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import task_matrix
import torch
import yaml
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab import config as configuration
from lmlab.command.kind.kind import fits
from lmlab.types import Memory, Mistake, State

CONF = Path(__file__).resolve().parents[1] / "conf"
VOCAB, SYMBOLS, MEMORY_DIM = 24, 8, 8
BATCH, TIME, STEPS = 32, 7, 50
SMALL = {
    "dim": 32, "num_layers": 2, "attention.num_heads": 4, "attention.num_kv_heads": 2, "attention.head_dim": 8,
    "cross_attention.num_heads": 4, "cross_attention.num_kv_heads": 2, "cross_attention.head_dim": 8, "buckets": 53,
    "feedforward.num_experts": 3, "mixer.chunk_size": 4, "init_std": 0.1,
}  # fmt: skip
"""Set where the model has the key and gives it a value."""
RATES = (1e-2, 5e-3, 5e-2)
"""Learning rates of the task, tried in turn: what learns with one of them can learn."""

ROLES = ("decoder", "encoder", "conditional", "pair")
"""What a task may want: `conditional` reads a memory made elsewhere, `pair` has an encoder of its own."""


@dataclass(frozen=True)
class Cell:
    """One combination."""

    words: tuple[str, ...]
    role: str

    @property
    def name(self) -> str:
        return f"{' '.join(self.words)} as {self.role}"


@dataclass(frozen=True)
class Verdict:
    """What became of a cell: refused with a reason, failed with what went wrong, or neither."""

    cell: Cell | task_matrix.TaskCell
    refused: str = ""
    failed: tuple[str, ...] = ()
    seconds: float = 0.0


def options(group: str) -> list[str]:
    """The YAML files of a group of `conf/model`, by name; of models those of sequences, not of words."""
    paths = (CONF / "model" / group).glob("*.yaml")
    return sorted(path.stem for path in paths if group or fits(path, "vocab_size"))


def cells() -> list[Cell]:
    """All that differ, allowed or not."""
    found: dict[str, Cell] = {}
    for cell in combinations():
        found.setdefault(OmegaConf.to_yaml(composed(cell.words)) + cell.role, cell)
    return list(found.values())


def combinations() -> Iterator[Cell]:
    """Each model in each role; a Transformer with each attention and position; each reader with each cross-attention."""
    attentions = options("attention")
    for name in options(""):
        content = yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text())
        model = (f"model={name}",)
        if "seq2seq" in str(content.get("_target_")) or is_pair(name):
            yield Cell(model, "pair")
            continue
        yield from (Cell(model, role) for role in ROLES[:3])
        if "_target_" not in content:  # a preset has made its choices
            continue
        groups = {key for default in content.get("defaults", []) if isinstance(default, dict) for key in default}
        if {"attention", "position"} <= groups:
            for attention in attentions:
                for position in options("position"):
                    parts = (f"model/attention={attention}", f"model/position={position}")
                    yield from (Cell((*model, *parts), role) for role in ROLES[:2])
                    yield Cell((*model, *parts, f"model/cross_attention={attention}"), "conditional")
        elif "attention@cross_attention" in groups:
            yield from (Cell((*model, f"model/cross_attention={one}"), "conditional") for one in attentions)
    yield from pairs(attentions)


def pairs(attentions: list[str]) -> Iterator[Cell]:
    """Encoders and decoders, each with each; and each cross-attention, none included, between recurrent and Transformer sides."""
    sides = [
        name for name in options("") if "_target_" in (CONF / "model" / f"{name}.yaml").read_text() or name in SIDES
    ]
    sides = [name for name in sides if not is_pair(name)]
    for encoder in sides:
        for decoder in sides:
            yield Cell(("model=seq2seq", f"model/encoder={encoder}", f"model/decoder={decoder}"), "pair")
    for encoder, decoder in (
        ("lstm", "lstm"),
        ("lstm", "transformer"),
        ("transformer", "lstm"),
        ("transformer", "transformer"),
    ):
        for attention in [*attentions, "none"]:
            words = (f"model/encoder={encoder}", f"model/decoder={decoder}", f"model/cross_attention={attention}")
            yield Cell(("model=seq2seq", *words), "pair")


SIDES = ("lstm", "gru", "rnn")
"""Presets that stand for a model of their own."""


@cache
def is_pair(name: str) -> bool:
    """Whether a model joins an encoder and a decoder."""
    return bool(composed((f"model={name}",))._target_.endswith("Seq2Seq"))


@cache
def composed(words: tuple[str, ...]) -> DictConfig:
    """The model's block, made small where it has the keys to make it so."""
    config = configuration.compose(list(words))
    model = config.model
    with open_dict(model):
        for block in (model, model.get("encoder"), model.get("decoder")):
            for key, value in SMALL.items():
                is_own = block is not None and not OmegaConf.is_interpolation(block, key.split(".")[0])
                if is_own and OmegaConf.select(block, key) is not None:
                    OmegaConf.update(block, key, value)
        config.batch.seq_len = 32
    return config.model


def build(cell: Cell, seed: int = 0) -> nn.Module:
    """The model of a cell.

    Raises:
        Mistake: where it cannot be.
    """
    torch.manual_seed(seed)
    config = OmegaConf.create({"model": OmegaConf.to_container(composed(cell.words), resolve=True)})
    memory_dim = MEMORY_DIM if cell.role == "conditional" else None
    made: nn.Module = configuration.build(config, "model")(
        vocab_size=VOCAB, causal=cell.role != "encoder", memory_dim=memory_dim
    )
    return made


def states(
    cell: Cell,
    model: nn.Module,
    inputs: Tensor,
    document: Tensor | None = None,
    state: State = None,
    source: Tensor | None = None,
) -> tuple[Tensor, State]:
    """One call, with the source's memory where the role has one: ids [batch, time] for a pair, else their one-hot features."""
    memory = None
    if cell.role == "pair":
        memory = model.encode(sources(inputs.shape[0]) if source is None else source)
    elif cell.role == "conditional":
        read = sources(inputs.shape[0]) if source is None else source
        memory = Memory(F.one_hot(read % MEMORY_DIM, MEMORY_DIM).float())
    output = model(inputs, document, memory, state)
    return output.states, output.state


def ids(*shape: int, seed: int = 1) -> Tensor:
    return torch.randint(VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def sources(batch: int) -> Tensor:
    return ids(batch, 5, seed=3)


def close(found: Tensor, wanted: Tensor) -> bool:
    """Equal to rounding, by the size of the states."""
    return bool((found - wanted).abs().max() <= 2e-5 * wanted.abs().max().clamp(min=1.0))


# The laws, each True where it holds.


def law_of_state(cell: Cell, model: nn.Module) -> bool:
    inputs = ids(2, 9)
    whole, _ = states(cell, model, inputs)
    state, pieces = None, []
    for piece in inputs.split([4, 1, 1, 3], dim=1):
        found, state = states(cell, model, piece, state=state)
        pieces.append(found)
    return close(torch.cat(pieces, dim=1), whole)


def law_of_causality(cell: Cell, model: nn.Module) -> bool:
    inputs = ids(2, 9)
    changed = inputs.clone()
    changed[:, 5] = (changed[:, 5] + 1) % VOCAB
    before, after = states(cell, model, inputs)[0], states(cell, model, changed)[0]
    return torch.equal(before[:, :5], after[:, :5]) and not torch.equal(before[:, 5], after[:, 5])


def law_of_masks(cell: Cell, model: nn.Module) -> bool:
    """A document beside another one and padding gives the states that it gives alone."""
    inputs = ids(1, 11)
    document = torch.tensor([[0, 1, 1, 1, 1, 2, 2, 2, 0, 0, 0]])
    memory_of = {"pair", "conditional"}
    if cell.role in memory_of:  # a packed document reads the source of its number: here both read document 1 alone
        document = torch.tensor([[0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]])
    packed = states(cell, model, inputs, document)[0]
    for number in document.unique().tolist():
        own = document[0] == number
        if number and not close(packed[:, own], states(cell, model, inputs[:, own])[0]):
            return False
    return True


def law_of_gradients(cell: Cell, model: nn.Module) -> bool:
    found, _ = states(cell, model, ids(2, 9))
    (found * torch.randn(found.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    without = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
    model.zero_grad(set_to_none=True)
    return not without


def law_of_compiling(cell: Cell, model: nn.Module) -> bool:
    torch._dynamo.reset()
    inputs = ids(2, 9)
    compiled = torch.compile(lambda read: states(cell, model, read)[0], backend="aot_eager")
    return close(compiled(inputs), states(cell, model, inputs)[0])


def law_of_saving(cell: Cell, model: nn.Module) -> bool:
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = build(cell, seed=1).eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    return torch.equal(states(cell, other, ids(2, 9))[0], states(cell, model, ids(2, 9))[0])


LAWS = {
    "state": law_of_state,
    "causality": law_of_causality,
    "masks": law_of_masks,
    "gradients": law_of_gradients,
    "compile": law_of_compiling,
    "save and load": law_of_saving,
}
OF_DECODERS = ("state", "causality")


def task(cell: Cell, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, the row's symbol, and the source: noise of ids SYMBOLS and above, with the symbol in one place."""
    generator = torch.Generator().manual_seed(1000 + step)
    noise = torch.randint(SYMBOLS, VOCAB, (BATCH, TIME), generator=generator)
    symbol = torch.randint(SYMBOLS, (BATCH,), generator=generator)
    if cell.role in ("pair", "conditional"):
        return noise, symbol, symbol[:, None].expand(BATCH, 5).clone()
    place = torch.randint(3, (BATCH,), generator=generator)
    return noise.scatter(1, place[:, None], symbol[:, None]), symbol, symbol


def learned(cell: Cell, rate: float) -> float:
    """The task's loss after 50 steps, over that of a guess."""
    model = build(cell).train()
    head = nn.Linear(model.dim, SYMBOLS)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=rate)
    losses = []
    for step in range(STEPS):
        inputs, symbol, source = task(cell, step)
        found, _ = states(cell, model, inputs, source=source)
        if cell.role == "encoder":
            loss = F.cross_entropy(head(found.mean(1)), symbol)
        else:
            logits = head(found[:, 3:])
            loss = F.cross_entropy(logits.flatten(0, 1), symbol[:, None].expand(logits.shape[:2]).flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-5:]) / 5 / math.log(SYMBOLS)


ENOUGH = 0.8
"""Of a guess's loss: what a model that finds the symbol in some of the rows is below."""


def tried(cell: Cell) -> Verdict:
    """Builds, holds to the laws, and trains."""
    start = time.perf_counter()
    try:
        model = build(cell).eval()
        states(cell, model, ids(1, 3))
    except Mistake as mistake:
        return Verdict(cell, refused=str(mistake))
    except Exception:
        return Verdict(cell, failed=(f"build: {traceback.format_exc(limit=-2)}",))
    failed = []
    for name, law in LAWS.items():
        if name in OF_DECODERS and cell.role == "encoder":
            continue
        try:
            holds = law(cell, model)
        except Exception:
            failed.append(f"{name}: {traceback.format_exc(limit=-2)}")
        else:
            failed += [] if holds else [name]
    try:
        losses = []
        for rate in RATES:
            losses.append(learned(cell, rate))
            if losses[-1] < ENOUGH:
                break
        failed += [] if min(losses) < ENOUGH else [f"copy task: {min(losses):.2f} of a guess's loss"]
    except Exception:
        failed.append(f"copy task: {traceback.format_exc(limit=-2)}")
    return Verdict(cell, failed=tuple(failed), seconds=time.perf_counter() - start)


def tried_in_task(cell: task_matrix.TaskCell) -> Verdict:
    """As `task_matrix.tried` finds it."""
    start = time.perf_counter()
    refused, failed = task_matrix.tried(cell)
    return Verdict(cell, refused, tuple(failed), time.perf_counter() - start)


def alone() -> None:
    """One thread for each process; what torch and lmlab log of so many models says nothing."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    start = time.perf_counter()
    words = arguments.words
    is_of_tasks = words[:1] == ["tasks"]
    every, trial = (task_matrix.cells(), tried_in_task) if is_of_tasks else (cells(), tried)
    chosen = [cell for cell in every if all(word in cell.name for word in words[is_of_tasks:])]
    with ProcessPoolExecutor(
        arguments.processes, mp_context=multiprocessing.get_context("fork"), initializer=alone
    ) as pool:
        verdicts = []
        for verdict in pool.map(trial, chosen):
            verdicts.append(verdict)
            if verdict.failed:
                print(f"FAILED   {verdict.cell.name}: {'; '.join(verdict.failed)}", flush=True)
    for verdict in verdicts:
        if verdict.refused:
            print(f"refused  {verdict.cell.name}: {verdict.refused}")
    allowed = [verdict for verdict in verdicts if not verdict.refused]
    passed = [verdict for verdict in allowed if not verdict.failed]
    print(
        f"{len(passed)} of {len(allowed)} allowed combinations passed, {len(verdicts) - len(allowed)} are refused; "
        f"{time.perf_counter() - start:.0f} s"
    )
    return int(len(passed) < len(allowed))


if __name__ == "__main__":
    sys.exit(main())
