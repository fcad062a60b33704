"""Fully sharded data parallel (Zhao et al. 2023; torch's FSDP2): each rank keeps a piece of every weight and of its state."""

from torch import nn
from torch.distributed.fsdp import fully_shard

from lmlab.strategy.recompute import layers
from lmlab.strategy.sharded import Sharded


class FSDP(Sharded):
    """A layer's weights are gathered before it is computed, and given back after it; gradients are averaged in pieces."""

    def __init__(self) -> None:
        super().__init__(data_parallel_size="auto", tensor_parallel_size=1)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.world_size
        super().setup_environment()

    def cut(self, module: nn.Module) -> None:
        mesh = self.device_mesh["data_parallel"]
        for layer in layers(module.get_submodule("model")):
            fully_shard(layer, mesh=mesh)
        fully_shard(module, mesh=mesh)  # embedding, head, norms: one weight may be shared by two of them
