"""The machine itself: memory, the GPU and its driver, the clock."""

import statistics
from pathlib import Path

import psutil

from vitalbench.doctor.finding import Finding, answer
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.device import cuda_names

_QUICK_GB = 4
_STEADY = 0.05  # the share of the median that the spread of one piece of work may be
_CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def memory() -> Finding:
    """Memory that is free now."""
    free = psutil.virtual_memory().available / 1e9
    told = f"{free:.1f} GB available"
    return Finding(
        "free memory", free >= _QUICK_GB, told, "" if free >= _QUICK_GB else "end what else runs, or set `threads: 1`"
    )


def gpu() -> Finding:
    """The GPU, its driver, and whether this torch can use it."""
    names = cuda_names()
    if not names:
        return Finding(
            "GPU",
            False,
            "none found by nvidia-smi: targets of `device: cpu` run here, others where a scheduler has one",
        )
    driver = answer("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") or "unknown"
    import torch  # takes seconds, so only where there is a GPU to ask about

    told = f"{', '.join(names)}, driver {driver.splitlines()[0]}"
    if torch.cuda.is_available():
        return Finding("GPU", True, f"{told}, CUDA {torch.version.cuda} of torch")
    return Finding(
        "GPU",
        False,
        f"{told}; torch {torch.__version__} cannot use it",
        "make fresh TORCH=cuda" if torch.version.cuda is None else "nvidia-smi",
    )


def _work() -> float:
    return sum(number * 0.5 for number in range(20_000))


def spread(samples: list[float]) -> float:
    """The interquartile range as a share of the median.

    >>> spread([1.0, 1.0, 1.0, 1.0])
    0.0
    """
    low, middle, high = statistics.quantiles(samples, n=4)
    return (high - low) / middle


def clock() -> Finding:
    """Whether one and the same piece of work takes the same time again: without that no timing here is worth much."""
    watch, samples = Stopwatch(), []
    for _ in range(200):
        _work()
        samples.append(watch.lap())
    found = spread(samples)
    source = _CLOCK.read_text().strip() if _CLOCK.is_file() else "unknown"
    governor = f", governor {_GOVERNOR.read_text().strip()}" if _GOVERNOR.is_file() else ""
    told = f"the same work varies by {found:.1%} (half of 200 repeats); clock {source}{governor}"
    return Finding(
        "steady clock", found <= _STEADY, told, "" if found <= _STEADY else "end what else runs before measuring"
    )
