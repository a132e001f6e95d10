"""What one operator of torch costs: operations and bytes from its name and the shapes of what it is given and makes.

Operations: matrix products, convolutions, attention and recurrent layers 2 for a multiplication with an addition, as in torch's own
formulas; Fourier transforms as 5 n log2 n, half of it where one side is real (Cooley & Tukey's radix 2, the convention of FFTW's
benchmarks); pooling one an element of each window, a comparison or an addition; what adds rows up one an element added; everything
else one an element of the largest tensor, or of complex numbers what its real arithmetic takes. Moving data is no operation.

Bytes: what an operator reads and writes, once each; of a table that rows are taken from only those rows.
"""

import math
import re
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

# Operators that place, copy or draw data, whose result is no arithmetic on what they are given.
_MOVES = re.compile(
    r"(\w+_)?copy|(\w+_)?scatter|(clone|cat|stack|constant_pad_nd|index|index_select|index_put|gather|take|embedding|"
    r"(slice|select|unfold|diagonal)_backward|fill|zero|(zeros|ones|full)(_like)?|new_(zeros|ones|full)|scalar_tensor|arange|repeat|"
    r"local_scalar_dense|foreach_(copy|zero)|unsafe_index|pin_memory|roll|flip|triu|tril|masked_select|"
    r"(reflection|replication)_pad[123]d)"
)
# And those that touch no data at all: they allocate, or say anew how memory is looked at.
_NOTHING = re.compile(
    r"(new_)?empty(_like|_strided)?|set|detach|unsafe_(view|split|split_with_sizes|chunk)|reshape_alias|"
    r"(un)?squeeze|transpose|t|swapaxes|swapdims|as_strided|resize"
)
# Those that take from their first argument no more than what they make.
_TAKES = {"embedding", "index_select", "index", "unsafe_index", "gather", "take"}
# Those that, in place, write over their first argument and read nothing of it.
_OVERWRITES = {"copy", "fill", "zero", "bernoulli", "exponential", "normal", "random", "uniform"}
_POOL = re.compile(r"(avg|max)_pool([123])d(_with_indices)?(_backward)?")
_ADAPTIVE = re.compile(r"adaptive_(avg|max)_pool([123])d")
_COMPLEX_PRODUCT = 4  # real products a complex one takes, in matrix products
_COMPLEX = {"mul": 6, "div": 11}  # of one element
_BY_A_REAL = 2  # two real products or quotients an element


def _fft(tensor: Tensor, dims: list[int], halved: bool) -> float:
    lengths = [tensor.shape[dim] for dim in dims]
    points = math.prod(lengths)
    transforms = tensor.numel() / points
    return transforms * 5 * points * math.log2(max(points, 2)) * (0.5 if halved else 1.0)


def _lstm(x: Tensor, w_in: Tensor, w_hidden: Tensor) -> float:
    """Of one layer and direction: the products with input and state for four gates, at every time."""
    steps = x.numel() / x.shape[-1]
    return 2.0 * steps * (w_in.numel() + w_hidden.numel())


def _convolution_backward(args: tuple[Any, ...]) -> float:
    """Each gradient that is asked for takes the forward pass' products (torch's formula forgets the groups of the weight's)."""
    made, x, weight, transposed, wanted = args[0], args[1], args[2], args[7], args[10]
    # (outputs, inputs / groups, kernel), or transposed (inputs, outputs / groups, kernel)
    of_a_place = weight[0].numel()
    return float(2 * (x if transposed else made).numel() * of_a_place * sum(wanted[:2]))


def _attention(query: Tensor, key: Tensor, value: Tensor, w_in: Tensor, w_out: Tensor) -> float:
    """Of a layer that is one operator (torch's fast path in evaluation): three maps, the heads' two products, one map."""
    (records, asked, width), of = query.shape, w_in[0].numel()
    maps = 2.0 * width * of * (query.numel() + key.numel() + value.numel()) / query.shape[-1]
    return maps + 2 * 2.0 * records * asked * key.shape[1] * width + 2.0 * records * asked * w_out.numel()


def _transformer_layer(args: tuple[Any, ...]) -> float:
    x, first, second = args[0], args[14], args[16]
    rows = x.numel() / x.shape[-1]
    products = _attention(x, x, x, args[3], args[5]) + 2.0 * rows * (first.numel() + second.numel())
    return float(products + 4 * x.numel() + rows * first.shape[0])  # two norms, two sums, the nonlinearity


def _pool(name: str, args: tuple[Any, ...], out: Any) -> float | None:
    """One an element of each window; the gradient of a maximum is one addition an output, since it is of one element."""
    if found := _POOL.fullmatch(name):
        kind, dims, _, backward = found.groups()
        if kind == "max" and backward:
            return float(args[0].numel())
        size = args[2] if backward else args[1]
        window = math.prod(size) if len(size) > 1 else size[0] ** int(dims)
        result = args[0] if backward else (out[0] if isinstance(out, tuple) else out)
        return float(result.numel() * window)
    if found := _ADAPTIVE.fullmatch(name):
        x, places = args[0], (out[0] if isinstance(out, tuple) else out).shape[-int(found[2]) :]
        lengths = x.shape[-len(places) :]
        windows = math.prod(
            sum(math.ceil((at + 1) * length / count) - at * length // count for at in range(count))
            for length, count in zip(lengths, places, strict=True)
        )
        return float(x.numel() / math.prod(lengths) * windows)
    return None


def _rows(name: str, args: tuple[Any, ...]) -> float | None:
    """Of what adds rows to a table's: one an element added."""
    if name == "embedding_dense_backward":
        return float(args[0].numel())
    if name in ("index_put", "index_put_impl"):
        return float(args[2].numel()) if len(args) > 3 and args[3] else 0.0
    if name in ("scatter_add", "index_add"):
        return float(args[3].numel())
    if name in ("embedding_bag", "embedding_bag_forward_only"):
        return float(args[1].numel() * args[0].shape[-1])
    return None


def _special(name: str, args: tuple[Any, ...], out: Any) -> float | None:
    """Of operators that torch has no (or a wrong) formula for, and whose cost does not follow from the number of elements."""
    if name == "scaled_dot_product_flash_attention_for_cpu":
        return float(sdpa_flop_count(*(tensor.shape for tensor in args[:3])))  # type: ignore[no-untyped-call]
    if name == "scaled_dot_product_flash_attention_for_cpu_backward":
        return float(sdpa_backward_flop_count(*(tensor.shape for tensor in args[:4])))  # type: ignore[no-untyped-call]
    if name in ("fft_r2c", "fft_c2c"):
        return _fft(args[0], args[1], halved=name == "fft_r2c")
    if name == "fft_c2r":
        return _fft(out, args[1], halved=True)
    if name == "mkldnn_rnn_layer":
        return _lstm(args[0], args[1], args[2])
    if name == "mkldnn_rnn_layer_backward":
        return 2 * _lstm(args[0], args[1], args[2])  # gradients of the input and of the weights
    if name in ("cudnn_rnn", "cudnn_rnn_backward"):
        layers = [w for w in args[1] if w.dim() == 2]
        steps = args[0].numel() / args[0].shape[-1]
        return float(2.0 * steps * sum(w.numel() for w in layers) * (2 if name.endswith("backward") else 1))
    if name == "native_multi_head_attention":
        return _attention(args[0], args[1], args[2], args[5], args[7])
    if name == "transformer_encoder_layer_fwd":
        return _transformer_layer(args)
    pooled = _pool(name, args, out)
    return _rows(name, args) if pooled is None else pooled


def _product(name: str, args: tuple[Any, ...]) -> float | None:
    """Products that torch has no formula for; of complex numbers a product takes four."""
    if name == "convolution_backward":
        return _convolution_backward(args)
    if name in ("mv", "dot", "vdot"):
        return float(2 * args[0].numel())
    return float(2 * args[1].numel()) if name == "addmv" else None


def _is_complex(value: Any) -> bool:
    return value.is_complex() if isinstance(value, Tensor) else isinstance(value, complex)


def _of_an_element(name: str, args: tuple[Any, ...]) -> int:
    """Real operations of one element where numbers are complex."""
    real_side = args[1:2] if name == "div" else args[:2]  # a product by either side, a quotient by the divisor
    if name in _COMPLEX and not all(_is_complex(side) for side in real_side):
        return _BY_A_REAL
    return _COMPLEX.get(name, 2)


def flops(packet: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, tensors: list[Tensor]) -> float:
    """Operations of one call of an operator; `tensors` are all that it is given and makes."""
    name = packet.__name__.strip("_")
    is_complex = any(tensor.is_complex() for tensor in tensors)
    product = _product(name, args)
    if product is None and packet in flop_registry:
        product = float(flop_registry[packet](*args, **kwargs, out_val=out))
    if product is not None:
        return product * (_COMPLEX_PRODUCT if is_complex else 1)
    special = _special(name, args, out)
    if special is not None:
        return special
    if _MOVES.fullmatch(name):
        return 0.0
    if name.startswith(("foreach", "fused")):  # lists: one an element of what is updated
        return float(sum(tensor.numel() for tensor in (args[0] if args else tensors) if isinstance(tensor, Tensor)))
    return float(max((tensor.numel() for tensor in tensors), default=0)) * (
        _of_an_element(name, args) if is_complex else 1
    )


def _nbytes(tensor: Tensor) -> int:
    """What there is to read or write of a tensor: one that repeats a few values by strides of zero has only those."""
    there = math.prod(size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
    return there * tensor.element_size()


def moved(packet: Any, args: tuple[Any, ...], given: list[Tensor], made: list[Tensor]) -> int:
    """Bytes that one call of an operator reads and writes.

    Args:
        given: the tensors of its arguments, but for those that it only writes to (`out=`).
    """
    name, written = packet.__name__.strip("_"), sum(_nbytes(tensor) for tensor in made)
    if name in _TAKES:
        return sum(_nbytes(tensor) for tensor in given[1:]) + 2 * written
    if name in ("embedding_bag", "embedding_bag_forward_only"):
        rows: int = args[1].numel() * args[0].shape[-1] * args[0].element_size()
        return rows + sum(_nbytes(tensor) for tensor in given[1:]) + written
    if packet.__name__.endswith("_") and name in _OVERWRITES:
        given = given[1:]
    return sum(_nbytes(tensor) for tensor in given) + written


def touches_nothing(packet: Any) -> bool:
    """Whether an operator neither reads nor writes data, though torch does not call it a view."""
    return bool(_NOTHING.fullmatch(packet.__name__.strip("_")))


def is_view(func: torch._ops.OpOverload) -> bool:
    """Whether an operator only says anew how memory is looked at."""
    returns = func._schema.returns
    return bool(returns) and all(ret.alias_info is not None and not ret.alias_info.is_write for ret in returns)
