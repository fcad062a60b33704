"""The C library's memory: what a step frees is kept for the next, which needs as much again."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""

LARGE = 2**30


def keep_freed_memory() -> None:
    """Stops glibc from giving large blocks back to the system at every free.

    A step allocates the same hundreds of MiB again and again, and the system zeroes each page anew, which takes up to a third
    of a small model's step on a CPU (scripts/bench/step.py). Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, LARGE)
