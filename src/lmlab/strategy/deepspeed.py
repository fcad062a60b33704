"""ZeRO (Rajbhandari et al. 2020), stages 1 and 2, of the deepspeed package: whole weights, the rest in pieces on the ranks.

Unverified: it needs CUDA, and has not yet been run on it. What DeepSpeed saves is a folder that it alone reads; lmlab leaves
that out and keeps the weights only, in its own files, so that a stopped run begins again at its start.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

from pytorch_lightning.strategies import DeepSpeedStrategy, Strategy
from torch.optim import Optimizer

from lmlab.types import Mistake


class DeepSpeed(DeepSpeedStrategy):
    """Lightning's, within ranks that lmlab has started."""

    def __init__(self, *, stage: Literal[1, 2], offload_optimizer: bool) -> None:
        super().__init__(stage=stage, offload_optimizer=offload_optimizer)
        assert isinstance(self.config, dict)
        self.config["zero_force_ds_cpu_optimizer"] = False  # offloaded, the optimizer is still the chosen one

    def _configure_launcher(self) -> None:
        """None: lmlab starts the ranks, and Lightning's launcher would run the command line again."""

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Nothing: it is in pieces."""
        return {}

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        if "optimizer_states" not in checkpoint:  # a file of weights only, whole on every rank
            Strategy.save_checkpoint(self, checkpoint, filepath, storage_options)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        assert self.lightning_module is not None
        self.lightning_module.load_state_dict(checkpoint["state_dict"], strict=strict)


def check_machine(accelerator: str) -> None:
    """Refuses a machine that cannot run it."""
    if accelerator != "cuda":
        raise Mistake(f"strategy=deepspeed needs CUDA, and this run is on {accelerator}; choose strategy=ddp or fsdp")
    if find_spec("deepspeed") is None:
        raise Mistake("strategy=deepspeed needs a package that is not installed: pip install 'deepspeed>=0.16'")
