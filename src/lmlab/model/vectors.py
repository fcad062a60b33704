"""What a model begins with: the embeddings of ids, or features as they are."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.types import Mistake


def vectors(
    inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time features"], embedding: nn.Embedding
) -> Float[Tensor, "batch time dim"]:
    """Ids are looked up; features must have the model's width."""
    found: Tensor = inputs if inputs.is_floating_point() else embedding(inputs)
    if found.shape[-1] != embedding.embedding_dim:
        raise Mistake(
            f"features are {found.shape[-1]} wide, but model.dim={embedding.embedding_dim}; set it to their width"
        )
    return found
