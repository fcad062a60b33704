"""y_t = b + sum_j w_j x_(t-j) for each channel by itself, over the last few positions of a document (Fu et al. 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.mixer.width import positive
from lmlab.types import Course


class ShortConvolution(nn.Module):
    """A causal depthwise convolution; its state is the window of inputs that later positions still read."""

    def __init__(self, *, channels: int, width: int, bias: bool) -> None:
        super().__init__()
        positive(width, key="conv_width", means="tap")
        self.filter = nn.Conv1d(channels, channels, width, groups=channels, bias=bias)
        self.reach = width - 1

    def forward(
        self,
        inputs: Float[Tensor, "batch time channels"],
        window: Float[Tensor, "batch reach channels"] | None,
        course: Course | None,
    ) -> tuple[Float[Tensor, "batch time channels"], Float[Tensor, "batch reach channels"]]:
        weight = self.filter.weight[:, 0]
        inputs = inputs.to(weight.dtype)
        batch, time, channels = inputs.shape
        if window is None:
            window = inputs.new_zeros(batch, self.reach, channels)
        extended = torch.cat((window.to(inputs.dtype), inputs), dim=1)
        segment = None if course is None else torch.nn.functional.pad(course.segment, (self.reach, 0))
        outputs = inputs * weight[:, -1]
        if self.filter.bias is not None:
            outputs = outputs + self.filter.bias
        for tap in range(self.reach):  # sums of shifted inputs: on a CPU several times as fast as a depthwise kernel
            shifted = extended[:, tap : tap + time]
            if course is not None and segment is not None:
                is_foreign = segment[:, tap : tap + time] != course.segment
                shifted = shifted.masked_fill(is_foreign[..., None], 0.0)
            outputs = torch.addcmul(outputs, shifted, weight[:, tap])
        return outputs, self._window(extended, segment, course)

    def _window(
        self, extended: Float[Tensor, "batch total channels"], segment: Tensor | None, course: Course | None
    ) -> Float[Tensor, "batch reach channels"]:
        """The last inputs of the document that may go on; zeros where it is shorter."""
        if course is None or segment is None:
            return extended[:, extended.shape[1] - self.reach :]
        offsets = torch.arange(self.reach, device=extended.device)
        index = course.is_real.sum(dim=1, keepdim=True) + offsets
        is_foreign = segment.gather(1, index) != course.segment[:, -1:]
        return torch.take_along_dim(extended, index[..., None], dim=1).masked_fill(is_foreign[..., None], 0.0)
