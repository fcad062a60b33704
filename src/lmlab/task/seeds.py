"""Seeds of what is random in a step: each follows from its key alone."""

import torch


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
