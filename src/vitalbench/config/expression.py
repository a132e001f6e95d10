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


def _parsed(expression: str) -> ast.expr:
    if len(expression) > _LONGEST:
        raise ConfigError(f"an expression has at most {_LONGEST} characters")
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(f"not an expression: {expression!r}") from None


def facts_named(expression: str) -> list[str]:
    """The facts an expression names, in its order; a ConfigError where it holds anything but arithmetic.

    >>> facts_named("a.b * 2 + ceil(c['d e'])")
    ['a.b', 'c.d e']
    """
    named: list[str] = []

    def check(node: ast.expr) -> None:
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            check(node.left)
            check(node.right)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            check(node.operand)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id in ("min", "max") and len(node.args) < 2:
                raise ConfigError(f"function '{node.func.id}' takes two numbers or more")
            if node.func.id not in _FUNCTIONS:
                raise ConfigError(f"function '{node.func.id}'; {choices(node.func.id, _FUNCTIONS)}")
            for argument in node.args:
                check(argument)
        elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            named.append(_name(node))
        elif not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
            raise ConfigError(f"'{ast.unparse(node)}' is not arithmetic")

    try:
        check(_parsed(expression))
    except RecursionError:
        raise ConfigError(f"not an expression: {expression!r}") from None
    return named


def evaluate(expression: str, facts: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """Evaluate an expression; return its value and the facts it used.

    >>> evaluate("a.b * 2 + ceil(0.5)", {"a.b": 3})
    (7.0, {'a.b': 3})

    Raises:
        UnknownFact: a name is not among the facts.
        ConfigError: the expression holds anything but arithmetic, or its arithmetic has no result.
    """
    used: dict[str, float] = {}
    for name in facts_named(expression):
        if name not in facts:
            raise UnknownFact(name)
        used[name] = facts[name]

    def value(node: Any) -> float:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]  # facts_named has looked; a float's powers end at 1e308
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Pow) and abs(right) > _LARGEST_POWER:
                raise ConfigError(f"a power of at most {_LARGEST_POWER} is allowed")
            return _BINARY[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp):
            return -value(node.operand)
        if isinstance(node, ast.Call):
            return _FUNCTIONS[ast.unparse(node.func)](*(value(argument) for argument in node.args))
        return facts[_name(node)]

    try:
        found = float(value(_parsed(expression)))
    except (ZeroDivisionError, OverflowError, ValueError, TypeError) as error:
        raise ConfigError(f"{expression!r}: {error}") from None
    if not math.isfinite(found):
        raise ConfigError(f"{expression!r}: comes to {found}")
    return found, used
