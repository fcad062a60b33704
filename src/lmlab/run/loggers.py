"""The mirrors that the user chose with `logger=`; one that fails is switched off, and training goes on."""

import logging
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from lmlab.run.mirror import Mirror, MirrorFactory, Start

log = logging.getLogger(__name__)


class Loggers(Logger):
    """All chosen mirrors as one Lightning logger.

    Whatever a mirror raises (not installed, no network, a full disk) is said once, with the name of its option; from
    then on the run goes on without it. metrics.jsonl has everything all the same.

    Args:
        factories: By option name, as `logger` in the config is built; empty on every rank but 0.
    """

    def __init__(self, factories: Mapping[str, MirrorFactory], *, start: Start) -> None:
        super().__init__()
        self._start = start
        made = {option: _guarded(option, partial(factory, start=start)) for option, factory in factories.items()}
        self._mirrors: dict[str, Mirror] = {option: mirror for option, mirror in made.items() if mirror is not None}

    @property
    def name(self) -> str:
        """Of the run, for Lightning."""
        return self._start.name

    @property
    def version(self) -> str:
        """Lightning asks for one; a run has none."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run folder."""
        return str(self._start.folder)

    def log_hyperparams(self, params: "dict[str, Any] | Namespace", *args: Any, **kwargs: Any) -> None:
        """Nothing: the config was handed over at the start."""

    def log_metrics(self, metrics: Mapping[str, float | int], step: int | None = None) -> None:
        """Figures by name at lmlab's own step."""
        assert step is not None, "every figure has a step"
        self._each(lambda mirror: mirror.log_metrics(metrics, step))

    def log_text(self, name: str, text: str, step: int) -> None:
        """A sample of what the model writes."""
        self._each(lambda mirror: mirror.log_text(name, text, step))

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close every mirror; belongs into a `finally`. A second call does nothing."""
        self._each(lambda mirror: mirror.finish(summary, exit_code))
        self._mirrors.clear()

    def _each(self, call: Callable[[Mirror], None]) -> None:
        for option, mirror in list(self._mirrors.items()):
            if _guarded(option, partial(_done, call, mirror)) is None:
                del self._mirrors[option]


def _done(call: Callable[[Mirror], None], mirror: Mirror) -> bool:
    call(mirror)
    return True


def _guarded(option: str, call: Callable[[], Any]) -> Any:
    """What the call returns; None if it raised."""
    try:
        return call()
    except Exception as error:  # whatever it is: a mirror never stops or changes a run
        what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        log.warning("logger=%s failed and is off from here on; metrics.jsonl goes on (%s)", option, what)
        log.debug("The failure of logger=%s", option, exc_info=True)
        return None
