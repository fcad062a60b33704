"""One device: nothing is shared, nothing is sent."""

import torch
from pytorch_lightning.strategies import SingleDeviceStrategy


class Single(SingleDeviceStrategy):
    """Lightning's strategy for one device, which is the one that the trainer's accelerator names."""

    def __init__(self) -> None:
        super().__init__(device="cpu")
        self.parallel_devices: list[torch.device] = []  # set by the Trainer

    @property
    def root_device(self) -> torch.device:
        return self.parallel_devices[0] if self.parallel_devices else torch.device("cpu")
