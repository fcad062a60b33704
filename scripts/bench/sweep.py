"""A sweep's jobs per minute, from command to prompt, against one cold process per job and against Hydra's basic launcher.

Usage: python scripts/bench/sweep.py [JOBS]   (default: 20 jobs of 20 steps of the 0.8 M character model)

All three train the same jobs with one thread each and no mirror. Hydra's launcher runs them one after another in one
process, without isolation. The weights of the first job of the sweep are compared with the cold process's.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLD = 4
"""Cold processes that are timed; each takes the same time."""

JOB = ["tokenizer=char", "model.dim=128", "model.num_layers=4", "batch.seq_len=64", "batch.size=12", "optimizer=adamw",
       "trainer.max_steps=20", "trainer.threads=1", "samples.num=0", "logger=none", "trainer.limit_val_batches=1",
       "data=text"]  # fmt: skip

HYDRA_APP = """
import sys
import hydra

@hydra.main(version_base="1.3", config_path=sys.argv.pop(1), config_name="train")
def main(config):
    from lmlab.command.train import trained
    trained(config, [])

main()
"""


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rates = [f"{1e-3 * (1 + index / 100):.5f}" for index in range(number)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = folder / "text.txt"
        text.write_text("the quick brown fox jumps over the lazy dog while it rains in the old town\n" * 400)
        job = [*JOB, f"data.path={text}", f"cache_dir={folder / 'cache'}"]
        timed([*lmlab("train", *job), f"output_dir={folder / 'warm'}"], folder)  # the cache, and the disk's own
        cold = [
            timed([*lmlab("train", *job), f"optimizer.lr={rate}", f"output_dir={folder / 'cold'}"], folder)
            for rate in rates[:COLD]
        ]
        swept = [f"optimizer.lr={','.join(rates)}", "sweep.name=bench", "sweep.parallel=2", f"sweep.dir={folder}"]
        ours = timed(lmlab("train", "-m", *job, *swept), folder)
        app = folder / "app.py"
        app.write_text(HYDRA_APP)
        search = f"hydra.searchpath=[file://{ROOT / 'experiments'}]"
        hydra = timed(
            [sys.executable, str(app), str(ROOT / "conf"), "-m", *job, swept[0], f"output_dir={folder / 'hydra'}", search,
             f"hydra.sweep.dir={folder / 'multirun'}"], folder,
        )  # fmt: skip
        same = sha256(folder / "cold") & sha256(folder / "bench") & sha256(folder / "hydra")
    per_minute = {"cold": 60 * COLD / sum(cold), "sweep": 60 * number / ours, "hydra": 60 * number / hydra}
    print(
        f"{number} jobs: sweep {ours:.1f} s ({per_minute['sweep']:.0f} jobs/min, 2 at once), "
        f"Hydra's basic launcher {hydra:.1f} s ({per_minute['hydra']:.0f}), one cold process per job {sum(cold) / COLD:.1f} s "
        f"a job ({per_minute['cold']:.1f}); sweep / cold {per_minute['sweep'] / per_minute['cold']:.2f}, "
        f"sweep / Hydra {per_minute['sweep'] / per_minute['hydra']:.2f}; {len(same)} of {COLD} weights identical in all three"
    )


def lmlab(*words: str) -> list[str]:
    return [sys.executable, "-m", "lmlab", *words]


def timed(command: list[str], folder: Path) -> float:
    """Seconds from the command to the prompt."""
    begin = time.perf_counter()
    with (folder / "output.txt").open("ab") as output:
        done = subprocess.run(command, stdout=output, stderr=output, cwd=folder, env=os.environ, check=False)
    if done.returncode:
        sys.exit((folder / "output.txt").read_text()[-3000:])
    return time.perf_counter() - begin


def sha256(folder: Path) -> set[str]:
    return {str(json.loads(path.read_text())["weights_sha256"]) for path in folder.glob("lmlab/*/summary.json")}


if __name__ == "__main__":
    main()
