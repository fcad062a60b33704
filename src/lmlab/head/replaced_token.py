"""w^T gelu(V h): is a token the original, or one that a generator put there (ELECTRA: Clark et al. 2020, 3.1)?"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.head.generator import Generator
from lmlab.types import Mistake


class ReplacedToken(nn.Module):
    """States -> one logit per place, above 0 where the token is taken for a replaced one; it brings the generator.

    Args:
        generator: (share of the width, activation, eps) -> a Generator as narrow that shares the model's embedding.
        generator_size: share of the model's width.
        activation: also of the generator's output.
        eps: of the generator's layer norm.
    """

    def __init__(
        self,
        *,
        dim: int,
        generator: Callable[[float, nn.Module, float], Generator],
        generator_size: float,
        activation: nn.Module,
        eps: float,
    ) -> None:
        super().__init__()
        if not 0 < generator_size <= 1:
            raise Mistake(
                f"head.generator_size={generator_size} is no share of the model's width; set it above 0 and up to 1, such as 0.25"
            )
        self.transform, self.output = nn.Linear(dim, dim), nn.Linear(dim, 1)
        for layer in (self.transform, self.output):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        self.activation = activation
        self.generator = generator(generator_size, activation, eps)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time"]:
        logits: Tensor = self.output(self.activation(self.transform(states)))
        return logits[..., 0]
