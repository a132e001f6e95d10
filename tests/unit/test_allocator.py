"""Freed memory is kept: the same tensors, made again, fault in no new pages."""

import platform
import resource
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
import numpy as np
from vitalbench.train.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def step():
    return [np.ones(1_000_000) for _ in range(10)]  # 8 MB each
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's malloc")
def test_memory_that_was_freed_is_not_faulted_in_again():
    def faults(how: str) -> int:
        return int(
            subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True).stdout
        )

    pages = 5 * 10 * 8_000_000 // resource.getpagesize()
    assert faults("kept") < pages / 20 < faults("given back")
