"""A design with other values in the place of its own, and whether all that a search may try is a design at all."""

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any, get_args

from vitalbench.config.design import Design, Train, Window
from vitalbench.config.model_options import option_names, with_options
from vitalbench.config.search import Dimension
from vitalbench.config.strict import Strict, validated
from vitalbench.errors import ConfigError, choices

_CORNERS = 256  # combinations of ends that are all tried; of larger spaces, each end beside the first of the others
_INSIDE = 0.381966  # where a range is asked whether it may hold a fraction: no simple one, so no whole number by chance


def _section(annotation: Any) -> type[Strict] | None:
    """The section that a key holds, where it holds one."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Strict):
            return kind
    return None


def _keys(section: type[Strict], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = _section(field.annotation)
        yield f"{prefix}{name}"
        if inner is not None:
            yield from _keys(inner, f"{prefix}{name}.")


def searchable_keys(design: Design) -> list[str]:
    """The dotted keys of a design that may be searched: of its training, its window, and its model's options."""
    options = option_names(design.model.name) if design.model else []
    return [f"model.options.{name}" for name in options] + [*_keys(Window, "window."), *_keys(Train, "train.")]


def with_parameters(design: Design, parameters: Mapping[str, Any], source: object) -> Design:
    """The design with these values by dotted key, and no search any more.

    Raises:
        ConfigError: they make no design; it names `source` and the key.
    """
    written = design.model_dump(exclude={"search"})
    for key, value in parameters.items():
        *parents, leaf = key.split(".")
        at = written
        for name in parents:
            if at.get(name) is None:
                at[name] = {}
            at = at[name]
        at[leaf] = value
    return with_options(validated(Design, written, source), source)


def whole(design: Design, key: str, dimension: Dimension) -> bool:
    """Whether a key takes whole numbers alone: the design is asked with one that is not."""
    low, high = float(dimension.ends[0]), float(dimension.ends[-1])
    try:
        with_parameters(design, {key: low + (high - low) * _INSIDE}, "")
    except ConfigError:
        return True
    return False


def corners(design: Design, source: object) -> Iterator[Design]:
    """The designs at the ends of a search's space, its choices all being ends; without a search the design itself.

    Raises:
        ConfigError: one of them is no design.
    """
    if design.search is None:
        yield design
        return
    ends = {key: dimension.ends for key, dimension in design.search.space.items()}
    first = {key: values[0] for key, values in ends.items()}
    if prod(map(len, ends.values())) <= _CORNERS:
        tried: Iterator[dict[str, Any]] = (dict(zip(ends, some, strict=True)) for some in product(*ends.values()))
    else:
        tried = (first | {key: value} for key, values in ends.items() for value in values)
    for parameters in tried:
        yield with_parameters(design, parameters, f"{source}: search.space")


def grid_points(design: Design, source: object) -> dict[str, list[Any]]:
    """Every value of every key, for a sampler that tries all of them.

    Raises:
        ConfigError: a key has no end of values.
    """
    assert design.search is not None
    found: dict[str, list[Any]] = {}
    for key, dimension in design.search.space.items():
        if dimension.choice is not None:
            found[key] = list(dimension.choice)
            continue
        assert dimension.low is not None
        assert dimension.high is not None
        integral = whole(design, key, dimension)
        step = dimension.step or (1 if integral and not dimension.log else None)
        if step is None:
            raise ConfigError(
                f"{source}: search.space.{key}: sampler 'grid' needs `choice`, or `low`, `high` and `step`"
            )
        count = round((dimension.high - dimension.low) / step) + 1
        points = [dimension.low + at * step for at in range(count)]
        # A sum of steps is off by a rounding error: 0.1 + 2 * 0.1 is no 0.3.
        found[key] = points if integral else [round(point, 12) for point in points]
    return found


def check_space(design: Design, source: object) -> None:
    """Refuse a search that names a key there is not, or may try what is no design.

    Raises:
        ConfigError: it names `source`, the key, what is allowed and what comes nearest.
    """
    search = design.search
    if search is None:
        return
    known = searchable_keys(design)
    for key in search.space:
        if key not in known:
            raise ConfigError(f"{source}: search.space: key '{key}' is none of the design's; {choices(key, known)}")
    for _ in corners(design, source):
        pass
    for key, dimension in search.space.items():
        if dimension.step is not None and dimension.low is not None:
            with_parameters(design, {key: dimension.low + dimension.step}, f"{source}: search.space")
    epochs = design.train.epochs if design.train else 0
    if search.epochs is not None and search.epochs > epochs:
        raise ConfigError(f"{source}: search.epochs is {search.epochs}, more than train.epochs, which is {epochs}")
    if search.sampler == "grid":
        points = prod(map(len, grid_points(design, source).values()))
        if search.trials > points:
            raise ConfigError(f"{source}: search.trials is {search.trials}, but the grid has {points} points")
