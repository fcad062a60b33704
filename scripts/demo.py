"""make demo: trains the default, shows what it learned, that a killed run resumes to the same bits, and a sweep's table."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LMLAB = [sys.executable, "-m", "lmlab"]
SHORT = ["trainer.max_steps=60", "trainer.val_check_interval=30", "checkpoint.every=10", "logger=none", "model.dim=64",
         "model.num_layers=2", "model.dropout=0.1", "batch.size=8", "batch.micro_size=4", "trainer.limit_val_batches=2",
         "samples.num=1", "samples.max_tokens=8"]  # fmt: skip


def main() -> int:
    print("lmlab train", *sys.argv[1:], flush=True)
    code = subprocess.run([*LMLAB, "train", *sys.argv[1:]], check=False).returncode
    return code or show_resume() or show_sweep()


def show_resume() -> int:
    """Trains a small model twice, once with a SIGKILL on the way, and compares the weights."""
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = (Path(folder) / name for name in ("whole", "killed"))
        train(whole).wait()
        process = train(killed)
        step = kill_after_checkpoint(process, killed)
        train(killed).wait()
        first, second = sha256(whole), sha256(killed)
    same = "the same" if first == second else "NOT the same"
    print(
        f"\nkilled by SIGKILL after step {step} of 60 and resumed: {same} weights, sha256 {second[:16]} against {first[:16]}"
    )
    return int(first != second)


def show_sweep() -> int:
    """Three architectures of one size, three seeds each; the table at its end, with intervals."""
    print("\nlmlab train sweep=architectures", *sys.argv[1:], flush=True)
    return subprocess.run(
        [*LMLAB, "train", "sweep=architectures", "logger=none", *sys.argv[1:]], check=False
    ).returncode


def train(output_dir: Path) -> "subprocess.Popen[bytes]":
    command = [*LMLAB, "train", *SHORT, f"output_dir={output_dir}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_after_checkpoint(process: "subprocess.Popen[bytes]", output_dir: Path) -> int:
    """SIGKILL as soon as a checkpoint in the middle is there; the step that it holds."""
    while process.poll() is None:
        steps = [int(path.stem[5:]) for path in output_dir.glob("lmlab/*/checkpoints/step_*.ckpt")]
        if steps and max(steps) >= 20:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return max(steps)
        time.sleep(0.005)
    return 0


def sha256(output_dir: Path) -> str:
    return str(json.loads((output_dir / "latest" / "summary.json").read_text())["weights_sha256"])


if __name__ == "__main__":
    sys.exit(main())
