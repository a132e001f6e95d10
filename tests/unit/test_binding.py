"""Threads of a timing job bound to a core each: asked for before torch is loaded, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vitalbench.measure.binding import bind, is_bound

# What each kind of thread may use: torch's own and the main one, one started from it, and a process started from it.
_SEEN = """
import os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from vitalbench.measure import binding

before = os.sched_getaffinity(0)
if {allowed}:
    binding.allow()
bound = binding.bind()
import torch
torch.set_num_threads({threads})
torch.ones(2**22).copy_(torch.ones(2**22))
with ThreadPoolExecutor(1, initializer=binding.free) as pool:
    free = pool.submit(os.sched_getaffinity, 0).result()
with binding.unbound():
    inside = subprocess.run([sys.executable, "-c",
        "import os; print(len(os.sched_getaffinity(0)), 'OMP_PROC_BIND' in os.environ)"], capture_output=True, text=True)
masks = {{frozenset(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task")}}
print(bound, binding.is_bound(), len(masks - {{frozenset(before)}}), free == before, inside.stdout.strip(),
      binding.processors() == len(before))
"""


def cores() -> int:
    """How many cores this process may use, threads of one counted once."""
    topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files = [Path(topology.format(number)) for number in os.sched_getaffinity(0)]
    return len({path.read_text() if path.is_file() else str(path) for path in files})


def seen(allowed: bool, threads: int = 2, **environment: str) -> list[str]:
    code = _SEEN.format(allowed=allowed, threads=threads)
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return told.stdout.split()


@pytest.mark.skipif(cores() < 2, reason="one core: there is nothing to keep apart")
def test_the_main_thread_and_torchs_are_bound_and_what_they_start_is_not():
    processors = str(len(os.sched_getaffinity(0)))
    assert seen(True) == ["True", "True", "2", "True", processors, "False", "True"]


@pytest.mark.parametrize("kind", [{"allowed": False}, {"allowed": True, "OMP_PROC_BIND": "false"}])
def test_nothing_is_bound_where_nobody_allowed_it_or_the_environment_places_threads(kind):
    bound, is_so, masks, free, *_, processors = seen(**kind)
    assert (bound, is_so, masks, free, processors) == ("False", "False", "0", "True", "True")


def test_a_process_that_is_not_a_commands_own_is_never_bound():
    assert not bind()
    assert not is_bound()
