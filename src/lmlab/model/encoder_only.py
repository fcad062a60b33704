"""A model that reads its whole input at once says, where it is built, that it cannot decode."""

from lmlab.types import Mistake


def refuse_decoding(*, causal: bool, memory_dim: int | None, model: str, reason: str, instead: str) -> None:
    """Refuses the roles of a decoder, alone or over a memory, with the model to choose in its place."""
    if causal or memory_dim is not None:
        raise Mistake(
            f"model={model} can only be an encoder, because {reason}, and a decoder is needed here; "
            f"choose {instead} in its place: model={instead}, or model/decoder={instead}"
        )
