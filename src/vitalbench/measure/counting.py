"""Operations and bytes of a call, counted as torch executes it, operator by operator; nothing is estimated from a layer's name.

Operations: matrix products, convolutions, attention and recurrent layers by torch's own formulas (2 for a multiplication with an
addition); Fourier transforms as 5 n log2 n, half of it where one side is real (Cooley & Tukey's radix 2, the convention of FFTW's
benchmarks); everything else one an element, or of complex numbers what its real arithmetic takes. Moving data is no operation.

Bytes: what each operator reads and writes, once each, as if nothing stayed in a cache and nothing was fused: an upper bound of the
traffic, and what a kernel-by-kernel execution moves on a GPU.

torch shows operators to a watcher of their own thread alone. So what a call hands to a pool of threads is watched there too; of a
call that starts a thread in another way, or ends before its pool has, nothing is known, and no number is given.
"""

import math
import re
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
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

_aten = torch.ops.aten
# Operators that place, copy or draw data, whose result is no arithmetic on what they are given.
_MOVES = re.compile(
    r"(copy|clone|to_copy|cat|stack|constant_pad_nd|index|index_select|index_put|gather|(slice|select|unfold)_backward|fill|zero|"
    r"(zeros|ones|full)(_like)?|new_(zeros|ones|full)|scalar_tensor|arange|repeat|local_scalar_dense|foreach_(copy|zero)|"
    r"unsafe_index|reshape_copy|pin_memory|roll|flip|lift_fresh_copy)"
)
# And those that touch no data at all.
_NOTHING = re.compile(r"(new_)?empty(_like|_strided)?|set|detach|unsafe_view|reshape_alias")
_COMPLEX_PRODUCT = 4  # real products a complex one takes, in matrix products
_COMPLEX = {"mul": 6, "div": 11}  # of one element
_LSTM_GATES = 4


@dataclass
class Counted:
    """What a call executed: `flops` in all and by kind of operator, `bytes` read and written; `unseen`: why not all of it."""

    flops: float = 0.0
    bytes: float = 0.0
    by_operator: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    unseen: str = ""


def _fft(tensor: Tensor, dims: list[int], halved: bool) -> float:
    lengths = [tensor.shape[dim] for dim in dims]
    points = math.prod(lengths)
    transforms = tensor.numel() / points
    return transforms * 5 * points * math.log2(max(points, 2)) * (0.5 if halved else 1.0)


def _lstm(x: Tensor, w_in: Tensor, w_hidden: Tensor) -> float:
    """Of one layer and direction: the products with input and state for four gates, at every time."""
    steps = x.numel() / x.shape[-1]
    return 2.0 * steps * (w_in.numel() + w_hidden.numel())


def _special(name: str, args: tuple[Any, ...], out: Any) -> float | None:
    """Of operators that torch has no formula for, and whose cost does not follow from the number of elements."""
    if name == "_scaled_dot_product_flash_attention_for_cpu":
        return float(sdpa_flop_count(*(tensor.shape for tensor in args[:3])))  # type: ignore[no-untyped-call]
    if name == "_scaled_dot_product_flash_attention_for_cpu_backward":
        return float(sdpa_backward_flop_count(*(tensor.shape for tensor in args[:4])))  # type: ignore[no-untyped-call]
    if name in ("_fft_r2c", "_fft_c2c"):
        return _fft(args[0], args[1], halved=name == "_fft_r2c")
    if name == "_fft_c2r":
        return _fft(out, args[1], halved=True)
    if name == "mkldnn_rnn_layer":
        return _lstm(args[0], args[1], args[2])
    if name == "mkldnn_rnn_layer_backward":
        return 2 * _lstm(args[0], args[1], args[2])  # gradients of the input and of the weights
    if name in ("_cudnn_rnn", "_cudnn_rnn_backward"):
        layers = [w for w in args[1] if w.dim() == 2]
        steps = args[0].numel() / args[0].shape[-1]
        return float(2.0 * steps * sum(w.numel() for w in layers) * (2 if name.endswith("backward") else 1))
    return None


def _elements(tensors: list[Tensor]) -> int:
    return max((tensor.numel() for tensor in tensors), default=0)


def _nbytes(tensor: Tensor) -> int:
    """What there is to read or write of a tensor: one that repeats a few values by strides of zero has only those."""
    there = math.prod(size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
    return there * tensor.element_size()


def _is_view(func: Any) -> bool:
    """Whether an operator only says anew how memory is looked at."""
    returns = func._schema.returns
    return bool(returns) and all(ret.alias_info is not None and not ret.alias_info.is_write for ret in returns)


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
        if not _is_view(func):
            self._note(packet, args, kwargs or {}, out)
        return out

    def _note(self, packet: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        name = packet.__name__
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if _NOTHING.fullmatch(name.strip("_")):
            return
        moved = sum(_nbytes(tensor) for tensor in given) + sum(_nbytes(tensor) for tensor in made)
        flops = self._flops(packet, name, args, kwargs, out, given, made)
        with self._adding:
            self.counted.bytes += moved
            self.counted.by_operator[name] += flops
            self.counted.flops += flops

    @staticmethod
    def _flops(
        packet: Any,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
        given: list[Tensor],
        made: list[Tensor],
    ) -> float:
        is_complex = any(tensor.is_complex() for tensor in (*given, *made))
        if packet in flop_registry:
            return float(flop_registry[packet](*args, **kwargs, out_val=out)) * (_COMPLEX_PRODUCT if is_complex else 1)
        special = _special(name, args, out)
        if special is not None:
            return special
        if _MOVES.fullmatch(name.strip("_")):
            return 0.0
        if name.startswith(("_foreach", "_fused")):  # lists: one an element of what is updated
            return float(sum(tensor.numel() for tensor in (args[0] if args else made) if isinstance(tensor, Tensor)))
        return float(_elements(given + made)) * (_COMPLEX.get(name.rstrip("_"), 2) if is_complex else 1)


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
