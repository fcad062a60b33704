"""Seeds of what is random in a step: each follows from its key alone."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def stream_seed(*key: int) -> int:
    """A 63-bit seed from (seed, step, micro, rank), each key its own stream (splitmix64 over the words)."""
    mixed = 0
    for word in key:
        mixed = (mixed + word + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 31
    return mixed >> 1


def seed_generator(seed: int, device: torch.device) -> None:
    """Seeds the device's own generator; torch.manual_seed would keep a stack trace per call for devices not yet in use."""
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def uniform_at(places: Int[Tensor, "..."]) -> Float[Tensor, "..."]:
    """A number from 0 up to, but not including, 1 for each place, which follows from it alone (the finaliser of MurmurHash3)."""
    mixed = places.long()
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        mixed = (mixed ^ (mixed >> 16)) * factor & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 16)) >> 8).float() / 2**24
