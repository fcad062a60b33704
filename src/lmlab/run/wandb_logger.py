"""Weights & Biases: online where the user is logged in, else offline for a later `wandb sync`.

One run folder is one W&B run: its id is made at the first start and kept in the folder, so that a resumed run goes on
under it. Steps are a metric of their own (`step`), because W&B's internal counter begins anew with each offline start.
"""

import html
import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from lmlab.run import json_file
from lmlab.run.mirror import Start

log = logging.getLogger(__name__)

Mode = Literal["online", "offline"]


class WandbLogger:
    """Mirrors metrics, samples and summary of a run.

    Args:
        entity: The user or team; None: the user's default.
        mode: None: online where a key is configured, else offline.
        init_timeout: Seconds that a start waits for the server before it goes on offline.
        finish_timeout: Seconds that the end waits for uploads; `wandb sync` uploads what is missing then.
    """

    def __init__(
        self, *, entity: str | None, mode: Mode | None, init_timeout: float, finish_timeout: float, start: Start
    ) -> None:
        # Here and not at the top: a missing or broken installation is then a failure of this logger, not of the run.
        import wandb

        self._wandb: Any = wandb
        settings = self._wandb.Settings(
            init_timeout=init_timeout,
            finish_timeout=finish_timeout,
            silent=True,  # what matters is said here
            console="off",  # stdout stays as it is
            disable_git=True,  # environment.json and code.diff hold it
            disable_code=True,
        )
        self._run = self._started(mode or _mode(wandb), {**_about(start), "entity": entity, "settings": settings})
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")

    def log_metrics(self, metrics: Mapping[str, float | int], step: int) -> None:
        """One row of figures; `step` is its axis."""
        self._run.log({**metrics, "step": step})

    def log_text(self, name: str, text: str, step: int) -> None:
        """The text as it is, lines wrapped: a panel with a slider over the steps."""
        page = f'<pre style="white-space: pre-wrap; font-size: 14px">{html.escape(text)}</pre>'
        self._run.log({name: self._wandb.Html(page, inject=False, data_is_not_path=True), "step": step})

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Write the final figures and wait for the uploads."""
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=exit_code)

    def _started(self, mode: str, arguments: dict[str, Any]) -> Any:
        try:
            run = self._wandb.init(mode=mode, **arguments)
        except Exception as error:
            if mode != "online":
                raise
            log.warning("W&B cannot be reached and the run is logged offline: %s", str(error).splitlines()[0])
            return self._started("offline", arguments)
        offline = f"offline; `wandb sync {Path(run.dir).parent}` uploads it later"
        log.info("W&B logs %s", f"online: {run.url}" if mode == "online" else offline)
        return run


def preload() -> None:
    """Imports W&B ahead of torch: what its first start imports looks through all modules there are, 0.3 s now, 1.2 s then."""
    with suppress(ImportError):  # said when the logger is made
        import wandb.sdk.launch  # noqa: F401


def run_id(folder: Path) -> str:
    """The run's id at W&B, made once and kept in the run folder; the one that its agent gave, where a W&B sweep runs it."""
    path = folder / "wandb" / "id"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        given = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
        json_file.write_text(path, f"{given or secrets.token_hex(6)}\n")
    return path.read_text(encoding="utf-8").strip()


def _about(start: Start) -> dict[str, Any]:
    return {
        "project": start.project,
        "name": start.name,
        "group": start.group,
        "tags": start.tags,
        "config": json_file.plain(start.config),
        "dir": str(start.folder),
        "id": run_id(start.folder),
        "resume": "allow",
        "reinit": "finish_previous",
    }


def _mode(wandb: Any) -> str:
    """What the user says by WANDB_MODE, else online if there is a key (asked without the network)."""
    if asked := os.environ.get("WANDB_MODE"):
        return asked
    return "online" if wandb.login(prompt=False, verify=False) else "offline"
