"""What strategies share that cut the weights into pieces: checkpoints are whole all the same, for any number of ranks to load."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.optimizer import _optimizers_to_device
from pytorch_lightning.strategies import ModelParallelStrategy, Strategy
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer


class Sharded(ModelParallelStrategy):
    """Lightning's, within ranks that lmlab has started; a checkpoint is the one file that a single device would write."""

    restore_checkpoint_after_setup = True
    lightning_restore_optimizer = True

    def __init__(
        self, *, data_parallel_size: int | Literal["auto"], tensor_parallel_size: int | Literal["auto"]
    ) -> None:
        super().__init__(data_parallel_size, tensor_parallel_size, save_distributed_checkpoint=False)
        self._is_cut = False
        self.orders: dict[str, Tensor] = {}
        """The order in which the rows of a weight stand here, by its name, where it is not that of a checkpoint."""

    @abstractmethod
    def cut(self, module: nn.Module) -> None:
        """Replaces the weights of the task by this rank's pieces of them."""

    def _configure_launcher(self) -> None:
        """None: lmlab starts the ranks, and Lightning's launcher would run the command line again."""

    def setup(self, trainer: pl.Trainer) -> None:
        assert self.accelerator is not None
        assert self.model is not None
        self.accelerator.setup(trainer)
        is_fit = trainer.state.fn == TrainerFn.FITTING
        if not self._is_cut:  # the evaluation after training finds it cut
            self.model = self.precision_plugin.convert_module(self.model)
            self.model_to_device()
            self.cut(self.model)
            self._is_cut = True
        if is_fit:
            self.setup_optimizers(trainer)
        self.setup_precision_plugin()
        if is_fit:
            _optimizers_to_device(self.optimizers, self.root_device)

    # Checkpoints.

    def lightning_module_state_dict(self) -> dict[str, Any]:
        assert self.lightning_module is not None
        state = self.lightning_module.state_dict()
        return {name: whole(tensor, self.orders.get(name)) for name, tensor in state.items()}

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        assert self.lightning_module is not None
        own = self.lightning_module.state_dict()
        found = checkpoint["state_dict"]
        pieces = {name: piece(found[name], like, self.orders.get(name)) for name, like in own.items() if name in found}
        self.lightning_module.load_state_dict(pieces, strict=strict)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        found: dict[str, Any] = Strategy.optimizer_state(self, optimizer)
        orders = [order for _, order in self._parameters(optimizer)]
        state = {
            key: {name: whole(value, orders[key]) for name, value in one.items()} for key, one in found["state"].items()
        }
        return {**found, "state": state}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"]):
            known = self._parameters(optimizer)
            state = {
                key: {name: piece(value, *known[key]) for name, value in one.items()}
                for key, one in saved["state"].items()
            }
            optimizer.load_state_dict({**saved, "state": state})

    def _parameters(self, optimizer: Optimizer) -> list[tuple[Tensor, Tensor | None]]:
        """An optimizer's parameters as it numbers them, each with the order of its rows."""
        assert self.lightning_module is not None
        names = {id(parameter): name for name, parameter in self.lightning_module.named_parameters()}
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return [(parameter, self.orders.get(names[id(parameter)])) for parameter in parameters]

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        return self.checkpoint_io.load_checkpoint(checkpoint_path, weights_only=weights_only)


def whole(value: Any, order: Tensor | None = None) -> Any:
    """A tensor put together from the pieces of all ranks, which all ask for it; anything else as it is."""
    if not isinstance(value, DTensor):
        return value
    full: Tensor = value.full_tensor().cpu()
    return full if order is None else full[torch.argsort(order)]


def piece(value: Any, like: Tensor, order: Tensor | None = None) -> Any:
    """This rank's piece of a tensor of the shape of `like`; anything else as it is."""
    if not isinstance(value, Tensor) or not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    value = value if order is None else value[order]
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
