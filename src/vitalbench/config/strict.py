"""The base of every configuration section: unknown keys and wrong types are errors that say what is allowed."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from vitalbench.errors import ConfigError, choices, plain


class Strict(BaseModel):
    """A configuration section that takes its own keys and types, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    raise PydanticCustomError(
                        "unknown_key",
                        "is not known here; {hint}",
                        {"key": str(key), "hint": choices(key, cls.model_fields)},
                    )
        return data


T = TypeVar("T", bound=Strict)


_LONGEST = 120  # characters of a key or a value that a message shows
_KINDS = {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false", type(None): "empty"}


def _short(text: str) -> str:
    """As much of a text as a line of people can hold."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _explain(error: ErrorDetails) -> str:
    path = [_short(plain(str(part))) for part in error["loc"] if part != "[key]"]
    context = error.get("ctx") or {}
    if error["type"] == "unknown_key":
        return f"key '{'.'.join([*path, plain(context['key'])])}' {error['msg']}"
    if not path and error["type"] not in ("missing", "model_type", "dict_type"):
        return error["msg"]  # of several keys, which it names
    where = f"key '{'.'.join(path)}'" if path else "the file"
    if error["type"] == "missing":
        return f"{where} is missing"
    value = error.get("input")
    if error["type"] in ("model_type", "dict_type"):
        return f"{where} must be a mapping, `key: value`, not {_KINDS.get(type(value), type(value).__name__)}"
    if error["type"] == "literal_error":
        allowed = str(context.get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ")
        return f"{where} is {value!r}; {choices(value, allowed)}"
    shown = f" is {_short(repr(value))}" if isinstance(value, str | int | float | bool | type(None)) else ""
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{where}{shown}: {message}"


def validated(model: type[T], data: Any, source: object) -> T:
    """Make `model` of `data`, or raise a ConfigError of one line that names `source`, the key and what is allowed."""
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        first, *others = problem.errors()
        more = f" (and {len(others)} more)" if others else ""
        raise ConfigError(f"{source}: {_explain(first)}{more}") from None
