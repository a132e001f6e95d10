"""The options a model takes, read from the signature of its `build` function without importing it.

Importing a model imports torch, which costs seconds; the configuration is checked before the DAG is built, so it reads the
source instead. A model file has `def build(*, leads: int, samples: int, classes: int, <option>: <type> = <default>, ...)`.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import create_model

import vitalbench
from vitalbench.config.strict import Strict, validated
from vitalbench.errors import ConfigError, choices

_PACKAGE = Path(vitalbench.__file__).parent
FOLDER = _PACKAGE / "models"
_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "tuple[int, ...]": list[int],  # YAML and JSON know lists only
    "tuple[float, ...]": list[float],
    "int | None": int | None,
    "float | None": float | None,
}
_SHAPE = {"leads", "samples", "classes"}


def model_names() -> list[str]:
    """The models there are: one a file."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def dataset_modules() -> list[str]:
    """The data set modules there are: one a file in data/datasets/."""
    return sorted(path.stem for path in (_PACKAGE / "data" / "datasets").glob("*.py") if path.stem != "__init__")


def check_dataset_module(name: str, source: object) -> None:
    """Refuse a data set whose module is not there; it is not imported either."""
    if name not in dataset_modules():
        raise ConfigError(f"{source}: key 'module' is {name!r}; {choices(name, dataset_modules())}")


@cache
def _options(name: str) -> type[Strict]:
    path = FOLDER / f"{name}.py"
    build = next(
        (
            node
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name == "build"
        ),
        None,
    )
    if build is None:
        raise ConfigError(f"{path}: a model file must define build(*, leads, samples, classes, ...)")
    fields: dict[str, Any] = {}
    for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True):
        if argument.arg in _SHAPE:
            continue
        written = ast.unparse(argument.annotation) if argument.annotation else "nothing"
        if written not in _TYPES:
            raise ConfigError(f"{path}: option '{argument.arg}' has the type {written}; {choices(written, _TYPES)}")
        value = ... if default is None else ast.literal_eval(default)
        fields[argument.arg] = (_TYPES[written], list(value) if isinstance(value, tuple) else value)
    return create_model(f"{name}_options", __base__=Strict, **fields)


def resolve_options(name: str, options: dict[str, Any], source: object) -> dict[str, Any]:
    """Check a model's name and options; return all of them, defaults filled in."""
    if name not in model_names():
        raise ConfigError(f"{source}: key 'model.name' is {name!r}; {choices(name, model_names())}")
    return validated(_options(name), options, f"{source}: model.options").model_dump()
