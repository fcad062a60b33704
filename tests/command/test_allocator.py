"""What a step frees is not given back to the system."""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource, torch
{call}
def step():
    for size in (1, 8, 3, 40):  # MiB; glibc keeps up to 32 by itself
        torch.zeros(size * 2**18).add_(1)
for _ in range(3):  # until the heap is as large as it gets
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
KEEP = "from lmlab.command.allocator import keep_freed_memory; keep_freed_memory()"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_freed_memory_is_taken_again_without_page_faults():
    found = {
        call: int(
            subprocess.run([sys.executable, "-c", CODE.format(call=call)], capture_output=True, check=True).stdout
        )
        for call in ("", KEEP)
    }
    assert found[KEEP] * 10 < found[""]
