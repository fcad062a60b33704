"""Tensor parallelism (Shoeybi et al. 2019, Megatron-LM, section 3): projections cut by heads and by hidden units.

Embedding, head and norms are whole on every rank: all ranks compute them on the same batch, with the same dropout. Attention
weights are dropped alike for the heads of different ranks.
"""

from torch import nn
from torch.distributed.tensor.parallel import ColwiseParallel, ParallelStyle, RowwiseParallel, parallelize_module

from lmlab.strategy.sharded import Sharded
from lmlab.types import Cuttable


class TensorParallel(Sharded):
    """One copy of the model over all ranks."""

    def __init__(self) -> None:
        super().__init__(data_parallel_size=1, tensor_parallel_size="auto")

    def cut(self, module: nn.Module) -> None:
        mesh = self.device_mesh["tensor_parallel"]
        for name, part in list(module.named_modules()):
            if isinstance(part, Cuttable):
                entry, order = part.cut(mesh.size())
                projection = part.get_submodule(entry)
                weight = projection.get_parameter("weight")
                weight.data = weight.data[order]
                self.orders[f"{name}.{entry}.weight"] = order
                plan: dict[str, ParallelStyle] = {entry: ColwiseParallel(), "output": RowwiseParallel()}
                parallelize_module(module.get_submodule(name), mesh, plan)
