"""Operations and bytes of a call, counted as torch executes it, operator by operator; nothing is estimated from a layer's name.

What an operator costs is in formulas.py. Bytes are counted as if nothing stayed in a cache and nothing was fused: an upper bound
of the traffic, and what a kernel-by-kernel execution moves on a GPU.

torch shows operators to a watcher of their own thread alone. So what a call hands to a pool of threads is watched there too; a
call that starts a thread in another way, or ends before its pool has, is given no number. Not seen, and missing without a word, is
what a call leaves to a thread that was there before and is no executor's (a queue's worker, multiprocessing.dummy), to another
process, and to code that is no operator of torch's (NumPy's products). No design here does any of it.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from vitalbench.measure import formulas


@dataclass
class Counted:
    """What a call executed: `flops` in all and by kind of operator, `bytes` read and written; `unseen`: why not all of it."""

    flops: float = 0.0
    bytes: float = 0.0
    by_operator: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    unseen: str = ""


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator that is executed while it is entered."""

    def __init__(self, counted: Counted, adding: threading.Lock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted, self._adding = counted, adding

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        packet = func._overloadpacket
        if packet not in flop_registry and func not in {torch.ops.prim.device.default}:
            with self:
                inner = func.decompose(*args, **(kwargs or {}))
            if inner is not NotImplemented:  # made of others, which were counted
                return inner
        out = func(*args, **(kwargs or {}))
        if not formulas.is_view(func):
            self._note(packet, args, kwargs or {}, out)
        return out

    def _note(self, packet: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        if formulas.touches_nothing(packet):
            return
        read = {name: value for name, value in kwargs.items() if name != "out"}
        given = [leaf for leaf in tree_leaves((args, read)) if isinstance(leaf, Tensor)]
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if any(tensor.is_nested for tensor in (*given, *made)):
            self.counted.unseen = "it uses nested tensors, whose elements are not counted"
            return
        moved = formulas.moved(packet, args, given, made)
        flops = formulas.flops(packet, args, kwargs, out, given + made)
        with self._adding:
            self.counted.bytes += moved
            self.counted.by_operator[packet.__name__] += flops
            self.counted.flops += flops


@contextmanager
def _in_every_thread(counted: Counted, adding: threading.Lock) -> Iterator[None]:
    """Watch what is handed to pools of threads meanwhile in the threads that do it; note what else leaves this one."""
    submit, start, handed = ThreadPoolExecutor.submit, threading.Thread.start, []

    def watched_submit(pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        def watched() -> Any:
            with _Counting(counted, adding):  # one a task: what it enters is of its thread
                return function(*args, **kwargs)

        handed.append(future := submit(pool, watched))
        return future

    def noted_start(thread: threading.Thread) -> None:
        if getattr(getattr(thread, "_target", None), "__module__", "") != ThreadPoolExecutor.__module__:
            counted.unseen = "it starts a thread, whose operators are not seen"
        start(thread)

    ThreadPoolExecutor.submit, threading.Thread.start = watched_submit, noted_start  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        ThreadPoolExecutor.submit, threading.Thread.start = submit, start  # type: ignore[method-assign]
    left: list[Future[Any]] = [future for future in handed if not future.done()]
    if left:
        counted.unseen = "it ends before the threads that it hands work to"


def count(call: Callable[[], Any]) -> Counted:
    """Execute a call once and count what it does. Compiled models are executed operator by operator for it.

    Args:
        call: may train, in which case its backward pass and its update are counted too.
    """
    counted, adding = Counted(), threading.Lock()
    with torch.compiler.set_stance("force_eager"), _in_every_thread(counted, adding), _Counting(counted, adding):
        call()
    return counted
