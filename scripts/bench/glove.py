"""GloVe on the corpus of LMLAB_DATA: counted tokens and trained pairs per second, word similarity; or memory at 1x and 10x.

Usage: python scripts/bench/glove.py [epochs=25] [threads=2] [lr=1.0] [initial=400.0] [x_max=10.0] [dim=100] [seed=0]
       python scripts/bench/glove.py memory

Counting includes reading the ids, sorting, merging and writing the pairs to disk; training includes drawing the steps. Both
are given by the clock and by processor time, which a shared machine does not stretch. The published program on a machine of
this kind with 2 threads: 1.0 M tokens/s and 1.53 M pairs/s.
"""

import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from os import environ
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gensim.models import KeyedVectors

from lmlab.batch.cooccurrences import Cooccurrences
from lmlab.head.least_squares import LeastSquares
from lmlab.model.glove import Glove
from lmlab.types import Corpus, Vocabulary

DATA = Path(environ.get("LMLAB_DATA", "../shared/data")) / "embeddings"
CORPUS = ("imdb_unsup.txt.gz", "brown.txt.gz", "abc/rural.txt", "abc/science.txt")
WORD = re.compile(r"[a-z']+")
SETS = {"WS-353": "EN-WS-353-ALL.txt", "MEN": "EN-MEN-TR-3k.txt"}
KEYS = {"epochs": 25, "threads": 2, "lr": 1.0, "initial": 400.0, "x_max": 10.0, "dim": 100, "seed": 0, "size": 200000}


def main() -> None:
    if sys.argv[1:] == ["memory"]:
        memory()
    elif sys.argv[1:2] == ["count"]:
        print(counted(Path(sys.argv[2]), float(sys.argv[3])))
    else:
        typed = dict(word.split("=") for word in sys.argv[1:])
        train(**KEYS | {key: type(KEYS[key])(value) for key, value in typed.items()})


def train(
    *, epochs: int, threads: int, lr: float, initial: float, x_max: float, dim: int, seed: int, size: int
) -> None:
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as name:
        vocabulary, ids = encoded()
        tokens = written(Path(name), ids)
        batching = batches(Path(name), size=size, seed=seed)
        batching.pairs(tokens[:100])  # compiles
        clock, used = time.perf_counter(), time.process_time()
        pairs = batching.pairs(tokens)
        report("counted", len(tokens), "tokens", clock, used)
        model = Glove(dim=dim, vocabulary=vocabulary)
        head = LeastSquares(dim=dim, vocabulary=vocabulary, x_max=x_max, alpha=0.75)
        optimizer = torch.optim.Adagrad(model.parameters(), lr=lr, initial_accumulator_value=initial)
        steps, per_epoch = batching.train(tokens), batching.steps_per_epoch(tokens)
        head.update(model, steps[0, 0], optimizer, 0.0, seed=0, threads=1)  # compiles
        for epoch in range(epochs):
            clock, used, total = time.perf_counter(), time.process_time(), 0.0
            for step in range(epoch * per_epoch, (epoch + 1) * per_epoch):
                total += head.update(model, steps[step, 0], optimizer, lr, seed=0, threads=threads)[0]
            report(f"epoch {epoch + 1}: loss {total / len(pairs):.5f},", len(pairs), "pairs", clock, used)
            if (epoch + 1) % 5 == 0 or epoch + 1 == epochs:
                print("  ", quality(model, vocabulary), flush=True)


def report(what: str, number: int, of: str, clock: float, used: float) -> None:
    clock, used = time.perf_counter() - clock, time.process_time() - used
    print(
        f"{what} {number:,} {of}: {number / clock:,.0f}/s, {number / used:,.0f} per second of processor time",
        flush=True,
    )


def quality(model: Glove, vocabulary: Vocabulary) -> str:
    """Spearman's rho as gensim has it."""
    vectors = KeyedVectors(model.dim)
    vectors.add_vectors(vocabulary.words[2:], model.vectors().detach().numpy()[2:])
    found = {name: vectors.evaluate_word_pairs(DATA / "eval" / file, delimiter=None) for name, file in SETS.items()}
    return ", ".join(f"{name} {rho.statistic:.3f} ({missing:.1f} % OOV)" for name, (_, rho, missing) in found.items())


def encoded(min_count: int = 5) -> tuple[Vocabulary, np.ndarray[Any, Any]]:
    """The words of the corpus by falling frequency, and the ids of its lines."""
    lines = [WORD.findall(line.lower()) for line in corpus()]
    counts = Counter(word for line in lines for word in line)
    words = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    index = {word: number for number, word in enumerate(words, 2)}
    ids = [number for line in lines if line for number in (*(index.get(word, 1) for word in line), 0)]
    known = np.array([0, 0, *(counts[word] for word in words)])
    return Vocabulary(("<eos>", "<unk>", *words), known), np.array(ids, dtype=np.uint16)


def corpus() -> Iterator[str]:
    for name in CORPUS:
        opened = gzip.open if name.endswith("gz") else open
        encoding = "latin-1" if "science" in name else "utf-8"
        with opened(DATA / "corpus" / name, "rt", encoding=encoding) as file:
            yield from file


def written(folder: Path, ids: np.ndarray[Any, Any], times: int = 1) -> np.ndarray[Any, Any]:
    """As the token arrays lie in the cache."""
    with (folder / "train.bin").open("wb") as file:
        for _ in range(times):
            file.write(ids.tobytes())
    (folder / "meta.json").write_text(json.dumps({"dtype": ids.dtype.name}))
    return np.memmap(folder / "train.bin", dtype=ids.dtype, mode="r")


def batches(folder: Path, *, size: int = 200000, seed: int = 0, memory_gb: float = 1.0) -> Cooccurrences:
    return Cooccurrences(
        size=size,
        window=15,
        distance_weighting=True,
        memory_gb=memory_gb,
        num_workers=0,
        seed=seed,
        corpus=Corpus(0, 1, np.zeros(0, np.int64), folder),
    )


def memory() -> None:
    """Each count in a process of its own, with so little memory that the whole corpus needs more."""
    _, ids = encoded()
    for memory_gb in (0.0625, 0.25):
        for times in (1, 10):
            with tempfile.TemporaryDirectory() as name:
                written(Path(name), ids, times)
                command = [sys.executable, __file__, "count", name, str(memory_gb)]
                print(
                    f"memory_gb={memory_gb} corpus x {times}:",
                    subprocess.check_output(command, text=True).strip(),
                    flush=True,
                )


def counted(folder: Path, memory_gb: float) -> str:
    ids = np.memmap(folder / "train.bin", dtype=json.loads((folder / "meta.json").read_text())["dtype"], mode="r")
    batches(folder).pairs(ids[:100])  # compiles
    before, clock = status("VmHWM"), time.perf_counter()
    pairs = batches(folder, memory_gb=memory_gb).pairs(ids)
    return (
        f"{len(ids):,} tokens, {len(pairs):,} pairs, peak {status('VmHWM')} MiB, {before} MiB of it before counting "
        f"({len(ids) / (time.perf_counter() - clock):,.0f} tokens/s)"
    )


def status(key: str) -> int:
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, key
    return int(found[1]) // 1024


if __name__ == "__main__":
    main()
