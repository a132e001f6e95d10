"""Threads of a timing job, each on a processor of its own.

Left to the system, both threads of torch were seen on one of two idle processors for as long as a job took, in some jobs and not in
others: the copy of memory came out at 49 or at 97 GB/s, and an inference of half a millisecond a half longer. The OpenMP runtime
places its threads if the environment asks for it before torch is loaded. It binds the process's main thread with them, and a thread
that begins later is bound like the one that starts it, unless it says `free`.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

_BEFORE = "VITALBENCH_PROCESSORS"  # that the process could use before; in the environment, since processes inherit what it undoes
_WISH = {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}
_USERS = (*_WISH, "GOMP_CPU_AFFINITY", "KMP_AFFINITY")  # whoever sets one knows better


_may = False


def allow() -> None:
    """Let `bind` have its way: said by whoever owns the process, since its threads stay bound until it ends."""
    global _may
    _may = True


def _before() -> set[int]:
    """The processors that a bound process could use before; empty in one that is not."""
    return {int(number) for number in os.environ.get(_BEFORE, "").split(",") if number}


def bind() -> bool:
    """Have the threads of torch, which is not loaded yet, bound to a core each, in this process and in those it starts.

    Returns:
        Whether they are: not where nobody allowed it, torch has been loaded, the environment places threads itself, or the system
        has no say in it.
    """
    if is_bound():
        return True
    if (
        not _may
        or "torch" in sys.modules
        or not hasattr(os, "sched_getaffinity")
        or any(name in os.environ for name in _USERS)
    ):
        return False
    os.environ.update(_WISH | {_BEFORE: ",".join(map(str, sorted(os.sched_getaffinity(0))))})
    return True


def is_bound() -> bool:
    """Whether this process's threads are bound to a core each, and its main thread with them."""
    return _BEFORE in os.environ


def processors() -> int:
    """How many processors this process may use, its main thread bound or not."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    return len(_before() or os.sched_getaffinity(0))


def free() -> None:
    """Let the thread that calls this run on every processor again; where nothing was bound nothing changes."""
    if before := _before():
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def unbound() -> Iterator[None]:
    """The calling thread and the environment as they were, for a process that is started meanwhile and inherits both."""
    if not is_bound():
        yield
        return
    bound, kept = os.sched_getaffinity(0), {name: os.environ.pop(name) for name in (_BEFORE, *_WISH)}
    os.sched_setaffinity(0, {int(number) for number in kept[_BEFORE].split(",")})
    try:
        yield
    finally:
        os.environ.update(kept)
        os.sched_setaffinity(0, bound)
