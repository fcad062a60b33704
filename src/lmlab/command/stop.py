"""lmlab stop [TARGET]: ask the process that works on a sweep or a run to save and stop."""

import os
import signal
import socket
import sys
from pathlib import Path

from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab stop`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab stop [SWEEP|RUN]",
            "Saves at the end of the step under way and stops; the same command, lmlab resume or lmlab retry goes on.",
        )
    from lmlab.launcher.find import find_target
    from lmlab.run.lock import holder

    name, _ = front.target(words)
    found = find_target(name)
    folder = found if isinstance(found, Path) else found.path
    working = holder(folder)
    if working is None:
        raise Mistake(f"nobody works on {folder}")
    if working.host != socket.gethostname():
        raise Mistake(f"{folder} is running on {working}; stop it there: kill -TERM {working.pid}")
    os.kill(working.pid, signal.SIGTERM)
    sys.stdout.write(f"asked process {working.pid} to save {folder} and stop\n")
    return 0
