"""All that the ranks of a step tell each other beside gradients, in one sum: its losses, and whether any of them shall stop."""

import signal
from typing import Any

import torch
from torch import Tensor, distributed

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

EVERY = 10
"""Steps between two looks at a device that computes ahead: a look waits for it."""


class Exchange:
    """Started before the backward pass, which it goes on beside, and awaited after it; alone it sends nothing."""

    def __init__(self) -> None:
        self.asked: int | None = None
        """The signal that this process was sent."""
        self.agreed: int | None = None
        """The signal that any rank was sent: at the end of a step every rank knows the same."""
        self._flags: Tensor | None = None
        self._work: Any = None

    def start(self, losses: list[Tensor]) -> list[Tensor]:
        """This rank's parts of the step's losses -> what are the losses over all ranks once `finish` has returned."""
        if not is_several():
            return losses
        flags = [float(number == self.asked) for number in SIGNALS]
        own = [loss.detach().float().reshape(1) for loss in losses]
        whole = torch.cat([*own, torch.tensor(flags, device=losses[0].device)])
        self._work = distributed.all_reduce(whole, async_op=True)
        self._flags = whole[len(losses) :]
        return list(whole[: len(losses)])

    def finish(self, step: int) -> None:
        """Waits for the sum; every rank calls it at the same step."""
        if self._work is None or self._flags is None:
            self.agreed = self.asked
            return
        self._work.wait()
        if self._flags.device.type == "cpu" or step % EVERY == 0:
            flags = self._flags.tolist()
            self.agreed = next((int(number) for number, flag in zip(SIGNALS, flags) if flag), None)
        self._work = None


def is_several() -> bool:
    """Whether this process is one of several ranks."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
