"""Each layer of the decoder starts from the last state of its counterpart in the encoder (Sutskever et al. 2014, section 2)."""

from torch import Tensor, nn

from lmlab.types import Layered, Memory, Mistake, SequenceModel


class Last(nn.Module):
    """For cells of one kind, equally wide and deep on both sides; of two directions the states stand side by side."""

    def __init__(self, *, encoder: SequenceModel, decoder: SequenceModel) -> None:
        super().__init__()
        if not isinstance(decoder, Layered) or not isinstance(encoder, Layered):
            side = "encoder" if isinstance(decoder, Layered) else "decoder"
            raise Mistake(
                f"without cross-attention, or with model/start=last, the decoder starts from the encoder's last state, and "
                f"this {side} has none to hand over; choose a recurrent one, such as model/{side}=lstm, or "
                "model/cross_attention=additive model/start=null"
            )
        given, taken = encoder.layer_widths(), decoder.layer_widths()
        if given != taken:
            raise Mistake(
                f"the encoder's last state ({_spoken(given)}) cannot start the decoder ({_spoken(taken)}); choose the same "
                "cell, dim and num_layers for both, or model/start=projection"
            )

    def forward(self, memory: Memory) -> tuple[tuple[Tensor, ...], ...]:
        layers: tuple[tuple[Tensor, ...], ...] = memory.state[0]
        return layers


def _spoken(widths: tuple[tuple[int, ...], ...]) -> str:
    layer = " and ".join(map(str, widths[0]))
    return f"{len(widths)} layer{'s' * (len(widths) > 1)}, {layer} wide"
