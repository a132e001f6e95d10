"""Peak memory of this process."""

import resource
import sys


def peak_memory_mb() -> float:
    """The most memory this process has held so far, in 10^6 bytes, as the system counts it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
