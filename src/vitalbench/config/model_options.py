"""The options a model takes, read from the signature of its `build` function without importing it.

Importing a model imports torch, which costs seconds; the configuration is checked before the DAG is built, so it reads the
source instead. A model file has `def build(*, leads: int, samples: int, classes: int, <option>: <type> = <default>, ...)`, or, of
images, `channels: int, height: int, width: int` in the place of `leads` and `samples`.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, create_model

import vitalbench
from vitalbench.config.design import Design
from vitalbench.config.strict import Strict, validated
from vitalbench.config.values import Count
from vitalbench.errors import ConfigError, choices

_PACKAGE = Path(vitalbench.__file__).parent
FOLDER = _PACKAGE / "models"
_TYPES: dict[str, Any] = {
    "int": Count,
    "float": float,
    "bool": bool,
    "str": str,
    "tuple[int, ...]": Annotated[list[Count], Field(min_length=1)],  # YAML and JSON know lists only
    "tuple[float, ...]": list[float],
    "int | None": Count | None,
    "float | None": float | None,
}
_SHAPES = {"signal": {"leads", "samples"}, "image": {"channels", "height", "width"}}


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


def _build(name: str) -> ast.FunctionDef:
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
    return build


@cache
def model_shape(name: str) -> str:
    """What a model takes: `signal` or `image`, by the axes that its `build` is given."""
    taken = {argument.arg for argument in _build(name).args.kwonlyargs}
    return next((shape for shape, axes in _SHAPES.items() if axes <= taken), "signal")


@cache
def _options(name: str) -> type[Strict]:
    path, build, shape = FOLDER / f"{name}.py", _build(name), {*_SHAPES[model_shape(name)], "classes"}
    fields: dict[str, Any] = {}
    for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True):
        if argument.arg in shape:
            continue
        written = ast.unparse(argument.annotation) if argument.annotation else "nothing"
        if written not in _TYPES:
            raise ConfigError(f"{path}: option '{argument.arg}' has the type {written}; {choices(written, _TYPES)}")
        value = ... if default is None else ast.literal_eval(default)
        fields[argument.arg] = (_TYPES[written], list(value) if isinstance(value, tuple) else value)
    return create_model(f"{name}_options", __base__=Strict, **fields)


def _encoder(name: str) -> ast.ClassDef | None:
    """The class `Encoder` of a model's file, if it has one."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Encoder"), None)


def encoder_sizes(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Those of a model's options that its encoder takes and that are no shares: encoders of other sizes have other weights."""
    encoder = _encoder(name)
    made = [node for node in encoder.body if isinstance(node, ast.FunctionDef)] if encoder else []
    taken = {argument.arg for node in made if node.name == "__init__" for argument in node.args.args}
    return {key: value for key, value in options.items() if key in taken and not isinstance(value, float)}


def check_fast(design: Design, source: object) -> None:
    """Refuse bf16 of a frozen encoder that would be run as it is trained: models/frozen/<name>.py is not there."""
    if design.model is None or design.fast is None or design.fast.precision != "bf16":
        return
    known = [path.stem for path in (FOLDER / "frozen").glob("*.py") if path.stem in model_names()]
    if design.model.name not in known:
        raise ConfigError(
            f"{source}: key 'fast.precision' is about an encoder whose function is known by constants, and that of "
            f"'{design.model.name}' is not; {choices(design.model.name, known)}"
        )


def check_encoder(name: str, recipe: str, source: object) -> None:
    """Refuse a model without an encoder of its own where a recipe asks for one: its file defines a class of that name."""
    if _encoder(name) is None:
        known = [model for model in model_names() if _encoder(model)]
        raise ConfigError(
            f"{source}: recipe '{recipe}' needs a model with an encoder apart from its head; {choices(name, known)}"
        )


def resolve_options(name: str, options: dict[str, Any], source: object) -> dict[str, Any]:
    """Check a model's name and options; return all of them, defaults filled in."""
    if name not in model_names():
        raise ConfigError(f"{source}: key 'model.name' is {name!r}; {choices(name, model_names())}")
    return validated(_options(name), options, f"{source}: model.options").model_dump()


def option_names(name: str) -> list[str]:
    """The options a model takes."""
    return list(_options(name).model_fields)


def with_options(design: Design, source: object) -> Design:
    """A design whose model's options are checked and filled in."""
    if design.model is None:
        return design
    options = resolve_options(design.model.name, design.model.options, source)
    check_fast(design, source)
    if design.encoder_apart:
        check_encoder(design.model.name, design.recipe, source)
    return design.model_copy(update={"model": design.model.model_copy(update={"options": options})})
