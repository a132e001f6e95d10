"""Nested state as tensors and JSON: what a safetensors file and a text hold together, so that nothing is ever unpickled."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor


def taken_apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Put the tensors and arrays of a nested value into `tensors` by their place, and return the rest as JSON.

    Raises:
        TypeError: it holds something that is no tensor, array, number, text, list, tuple, mapping or None; its place is named.
    """
    return _apart(value, tensors, set(), "state")


def _apart(value: Any, tensors: dict[str, Tensor], storages: set[int], at: str) -> Any:
    if isinstance(value, Tensor | np.ndarray):
        found = torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value.detach().cpu().contiguous()
        if found.untyped_storage().data_ptr() in storages:
            found = found.clone()  # two tensors of one storage, as tied weights are: the file holds each by itself
        storages.add(found.untyped_storage().data_ptr())
        tensors[at] = found
        return {"tensor" if isinstance(value, Tensor) else "array": at}
    if isinstance(value, dict):
        return {
            "dict": [[_key(key, at), _apart(item, tensors, storages, f"{at}/{key!r}")] for key, item in value.items()]
        }
    if isinstance(value, list | tuple):
        items = [_apart(item, tensors, storages, f"{at}/{number}") for number, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(float(value))}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{at}: a {type(value).__name__} cannot be saved")


def _key(key: Any, at: str) -> str | int:
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise TypeError(f"{at}: a key that is a {type(key).__name__} cannot be saved")
    return key


def put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The nested value again, of what `taken_apart` made of it.

    >>> tensors = {}
    >>> state = {"step": torch.tensor(3.0), 7: (1, [float("inf"), None])}
    >>> put_together(taken_apart(state, tensors), tensors)
    {'step': tensor(3.), 7: (1, [inf, None])}
    """
    if isinstance(value, list):
        return [put_together(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return tensors[content].numpy()
    if kind == "dict":
        return {key: put_together(item, tensors) for key, item in content}
    if kind == "tuple":
        return tuple(put_together(item, tensors) for item in content)
    return float(content)
