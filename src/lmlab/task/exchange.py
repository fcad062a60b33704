"""All that the ranks of a step tell each other beside gradients, in one sum: the loss, and whether any of them shall stop."""

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
        self._sum: Tensor | None = None
        self._work: Any = None

    def start(self, loss: Tensor) -> Tensor:
        """This rank's part of the step's loss -> what is the loss over all ranks once `finish` has returned."""
        if not is_several():
            return loss
        flags = [float(number == self.asked) for number in SIGNALS]
        self._sum = torch.cat([loss.detach().float().reshape(1), torch.tensor(flags, device=loss.device)])
        self._work = distributed.all_reduce(self._sum, async_op=True)
        return self._sum[0]

    def finish(self, step: int) -> None:
        """Waits for the sum; every rank calls it at the same step."""
        if self._work is None or self._sum is None:
            self.agreed = self.asked
            return
        self._work.wait()
        if self._sum.device.type == "cpu" or step % EVERY == 0:
            flags = self._sum[1:].tolist()
            self.agreed = next((int(number) for number, flag in zip(SIGNALS, flags) if flag), None)
        self._work = None


def is_several() -> bool:
    """Whether this process is one of several ranks."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
