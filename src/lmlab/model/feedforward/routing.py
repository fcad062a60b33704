"""What a router of tokens to experts asks of itself: balance, small logits, and room (Fedus et al. 2021; Zoph et al. 2022)."""

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F


def balance_loss(
    probabilities: Float[Tensor, "groups tokens experts"],
    choice: Int[Tensor, "groups tokens chosen"],
    is_real: Bool[Tensor, "groups tokens"],
) -> Float[Tensor, ""]:
    """N sum_i f_i P_i (Fedus et al. 2021, eq. 4 to 6), the mean over groups; 1 where all experts are used alike.

    f_i is expert i's share of a group's choices, P_i its mean probability there. Padding counts in neither.
    """
    num_experts = probabilities.shape[-1]
    chosen = F.one_hot(choice, num_experts).sum(-2)
    share = _mean(chosen.to(probabilities.dtype), is_real) / choice.shape[-1]
    return num_experts * (share * _mean(probabilities, is_real)).sum(-1).mean()


def z_loss(logits: Float[Tensor, "groups tokens experts"], is_real: Bool[Tensor, "groups tokens"]) -> Float[Tensor, ""]:
    """log(sum_i exp(logit_i))^2 (Zoph et al. 2022, eq. 5), the mean over a group's tokens, then over groups."""
    return _mean(logits.logsumexp(-1, keepdim=True).square(), is_real).mean()


def within_capacity(
    choice: Int[Tensor, "tokens chosen"], is_real: Bool[Tensor, " tokens"], *, num_experts: int, factor: float
) -> Bool[Tensor, "tokens chosen"]:
    """Which choices find room where an expert takes factor * chosen * tokens / N of them (Fedus et al. 2021, eq. 3).

    All first choices come before the second ones, and earlier tokens before later ones; padding takes no room.
    """
    tokens, chosen = choice.shape
    capacity = (factor * chosen / num_experts * is_real.sum()).ceil()
    queue = F.one_hot(choice.T.flatten(), num_experts) * is_real.repeat(chosen)[:, None]
    place = (queue.cumsum(0) * queue).sum(-1)  # from 1; 0 for padding
    return ((place > 0) & (place <= capacity)).view(chosen, tokens).T


def _mean(
    values: Float[Tensor, "groups tokens columns"], is_real: Bool[Tensor, "groups tokens"]
) -> Float[Tensor, "groups columns"]:
    """Over the tokens of a group that are no padding; 0 where there is none."""
    mean: Tensor = (values * is_real[..., None]).sum(1) / is_real.sum(1, keepdim=True).clamp(min=1)
    return mean
