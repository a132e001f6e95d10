"""Loops in C that the installation compiled: pyproject.toml names them, and each has a twin in numpy for where it could not."""

import ctypes
import importlib.machinery
from collections.abc import Callable
from pathlib import Path
from typing import Any


def loop(source: Path, *arguments: Any) -> Callable[..., None] | None:
    """The function a file of C defines under its own name, which ctypes calls without holding the interpreter.

    Args:
        source: the file, e.g. unpack_212.c, whose compiled form lies beside it.
        arguments: the function's ctypes; it returns nothing.

    Returns:
        The function, or None where there was no compiler.
    """
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        library = source.with_suffix(suffix)
        if library.is_file():
            function = ctypes.CDLL(str(library))[source.stem]
            function.restype, function.argtypes = None, arguments
            return function
    return None
