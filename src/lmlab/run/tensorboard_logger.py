"""TensorBoard: event files in the run folder, shown by `tensorboard --logdir runs`."""

from collections.abc import Mapping
from typing import Any

from lmlab.run import json_file
from lmlab.run.mirror import Start


class TensorBoardLogger:
    """Mirrors metrics, samples, config and summary of a run."""

    def __init__(self, *, flush_seconds: int, start: Start) -> None:
        # Here and not at the top: a missing or broken installation is then a failure of this logger, not of the run.
        from torch.utils.tensorboard import SummaryWriter

        # A resumed run goes on after its checkpoint; what a killed one wrote beyond it is hidden.
        purge_step = start.step + 1 if start.step > 0 else None
        folder = str(start.folder / "tensorboard")
        self._writer: Any = SummaryWriter(folder, flush_secs=flush_seconds, purge_step=purge_step)
        self.log_text("config", json_file.dumps(start.config, indent=2), start.step)

    def log_metrics(self, metrics: Mapping[str, float | int], step: int) -> None:
        """One point per figure."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def log_text(self, name: str, text: str, step: int) -> None:
        """The text as it is: TensorBoard reads Markdown, in which indented lines are shown as they stand."""
        self._writer.add_text(name, "".join(f"    {line}\n" for line in text.split("\n")), step)

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Write the final figures and close the file."""
        final = json_file.dumps({**summary, "exit_code": exit_code}, indent=2)
        self.log_text("summary", final, int(summary.get("step", 0)))
        self._writer.close()
