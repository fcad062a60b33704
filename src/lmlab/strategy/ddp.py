"""Distributed data parallel (Li et al. 2020): every rank holds the whole model, gradients are averaged before each step."""

from pytorch_lightning.strategies import DDPStrategy
from torch.nn import Module
from torch.nn.parallel import DistributedDataParallel


class DDP(DDPStrategy):
    """Lightning's, within ranks that lmlab has started, and with bits that do not depend on where a run was resumed.

    With three or more ranks the order in which gradients are summed depends on how they are put into buckets, and DDP puts
    them anew after its first step, so that a resumed run would sum in another order than one left alone. Looking for unused
    parameters, which DDP takes for a graph that may change, keeps the first buckets. No model has buffers that training
    changes: none are sent.
    """

    def __init__(self) -> None:
        super().__init__(broadcast_buffers=False, gradient_as_bucket_view=True)

    def _configure_launcher(self) -> None:
        """None: lmlab starts the ranks, and Lightning's launcher would run the command line again."""

    def _setup_model(self, model: Module) -> DistributedDataParallel:
        self._ddp_kwargs["find_unused_parameters"] = self.world_size > 2
        return super()._setup_model(model)
