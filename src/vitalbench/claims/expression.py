"""Arithmetic a claim is checked by: numbers, named facts, + - * / ** and a few functions. Nothing else is evaluated."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from vitalbench.errors import ConfigError, choices

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "min": min,
    "max": max,
}
_LONGEST = 400
_LARGEST_POWER = 64


class UnknownFact(Exception):
    """A fact the expression names is not known here."""


def _name(node: ast.expr) -> str:
    """A dotted name with string subscripts, `declared.ptbxl.labels.form['PRC(S)']`, as one key."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return f"{_name(node.value)}.{node.slice.value}"
    raise ConfigError(f"'{ast.unparse(node)}' is no fact's name")


def evaluate(expression: str, facts: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """Evaluate an expression; return its value and the facts it used.

    >>> evaluate("a.b * 2 + ceil(0.5)", {"a.b": 3})
    (7.0, {'a.b': 3})

    Raises:
        UnknownFact: a name is not among the facts.
        ConfigError: the expression holds anything but arithmetic.
    """
    if len(expression) > _LONGEST:
        raise ConfigError(f"an expression has at most {_LONGEST} characters")
    used: dict[str, float] = {}

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Pow) and abs(right) > _LARGEST_POWER:
                raise ConfigError(f"a power of at most {_LARGEST_POWER} is allowed")
            return _BINARY[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id not in _FUNCTIONS:
                raise ConfigError(f"function '{node.func.id}'; {choices(node.func.id, _FUNCTIONS)}")
            return _FUNCTIONS[node.func.id](*(value(argument) for argument in node.args))
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            name = _name(node)
            if name not in facts:
                raise UnknownFact(name)
            used[name] = facts[name]
            return facts[name]
        raise ConfigError(f"'{ast.unparse(node)}' is not arithmetic")

    try:
        tree: Any = ast.parse(expression, mode="eval")
        return float(value(tree.body)), used
    except (SyntaxError, RecursionError):
        raise ConfigError(f"not an expression: {expression!r}") from None
    except (ZeroDivisionError, OverflowError, ValueError, TypeError) as error:
        raise ConfigError(f"{expression!r}: {error}") from None
