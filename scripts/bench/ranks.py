"""Steps per second of two gloo ranks, with Lightning's broadcast before every batch and without it, interleaved.

Usage: python scripts/bench/ranks.py [STEPS] [PAIRS]   (default: 300 steps, 3 pairs)

Without it is what lmlab does: the ranks' own exchange, one sum beside the backward pass, is there in both.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SMALL = (
    "data=text", "tokenizer=char", "model.dim=32", "model.num_layers=2", "batch.size=8", "batch.seq_len=32",
    "trainer.accelerator=cpu", "trainer.threads=1", "logger=none", "strategy=ddp", "trainer.devices=2", "fresh=true",
    "samples.num=0", "trainer.log_every=50",
)  # fmt: skip

SITE = """
import os
if os.environ.get("BENCH_BROADCAST") and os.environ.get("RANK"):
    from lmlab.command import fit
    build = fit.build_trainer
    def with_broadcast(*args, **kwargs):
        made = build(*args, **kwargs)
        del made.fit_loop.epoch_loop._broadcast_sigterm_tensor
        return made
    fit.build_trainer = with_broadcast
"""
"""Run by Python at the start of every rank: gives Lightning's loop its own method back."""


def main() -> int:
    """Medians over the pairs."""
    given = [int(word) for word in sys.argv[1:]]
    steps, pairs = [*given, *(300, 3)[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(SITE)
        (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 400)
        found: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(pairs):
            for is_broadcast in found:
                found[is_broadcast].append(rate(folder, steps, is_broadcast))
    for is_broadcast, rates in found.items():
        what = "with the broadcast" if is_broadcast else "without it"
        print(f"{what:<20}{statistics.median(rates):8.1f} steps/s  ({', '.join(f'{one:.1f}' for one in rates)})")
    return 0


def rate(folder: Path, steps: int, is_broadcast: bool) -> float:
    """Steps per second of one run, its first lines left out."""
    words = [*SMALL, f"data.path={folder / 'text.txt'}", f"trainer.max_steps={steps}", f"output_dir={folder / 'runs'}"]
    words += [f"trainer.val_check_interval={steps}", f"checkpoint.every={steps}", f"cache_dir={folder / 'cache'}"]
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONPATH": path, "BENCH_BROADCAST": "1" if is_broadcast else ""}
    subprocess.run([sys.executable, "-m", "lmlab", "train", *words], env=environment, check=True, capture_output=True)
    run = max((folder / "runs" / "lmlab").iterdir())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    marks = [(line["step"], line["time"]) for line in lines if "train/loss" in line]
    (first, start), (last, end) = marks[0], marks[-1]
    return (last - first) / (end - start)


if __name__ == "__main__":
    sys.exit(main())
