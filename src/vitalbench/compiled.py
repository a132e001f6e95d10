"""Loops in C that the installation compiled: pyproject.toml names them, and each has a twin in numpy for where it could not."""

import ctypes
import importlib.machinery
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[2]


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


def missing(project: Path = _PROJECT) -> list[str]:
    """What a project's pyproject.toml says is compiled and this installation did not compile.

    Returns:
        Dotted names, e.g. vitalbench.data.unpack_212.
    """
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    found = []
    for module in settings["tool"]["setuptools"]["ext-modules"]:
        path = _PROJECT / "src" / module["name"].replace(".", "/")
        if not any(path.with_name(path.name + suffix).is_file() for suffix in importlib.machinery.EXTENSION_SUFFIXES):
            found.append(module["name"])
    return found


def lanes_here() -> int:
    """Numbers of fp32 that a vector of this processor holds, of the two that loops are compiled for."""
    import torch  # seconds to load, and other loops do without

    return 16 if torch.cpu._is_avx512_supported() else 8
