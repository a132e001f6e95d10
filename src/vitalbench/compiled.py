"""Loops in C that the installation compiled: pyproject.toml names them, and each has a twin in numpy for where it could not."""

import ctypes
import importlib.machinery
from collections.abc import Callable
from pathlib import Path
from typing import Any


def loop(source: Path, *arguments: Any, variant: str = "") -> Callable[..., None] | None:
    """The function a file of C defines under its own name, which ctypes calls without holding the interpreter.

    Args:
        source: the file, e.g. unpack_212.c, whose compiled form lies beside it.
        arguments: the function's ctypes; it returns nothing.
        variant: what follows the file's name in the function's and the compiled form's, where it is compiled more than once.

    Returns:
        The function, or None where there was no compiler.
    """
    name = source.stem + variant
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        library = source.with_name(name + suffix)
        if library.is_file():
            function = ctypes.CDLL(str(library))[name]
            function.restype, function.argtypes = None, arguments
            return function
    return None


def lanes_here() -> int:
    """Numbers of fp32 that a vector of this processor holds, of the two that loops are compiled for."""
    import torch  # seconds to load, and other loops do without

    return 16 if torch.cpu._is_avx512_supported() else 8
