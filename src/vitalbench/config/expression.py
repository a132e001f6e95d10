"""Arithmetic a claim is checked by: numbers, named facts, + - * / ** and a few functions. Nothing else is evaluated.

It is done on intervals (Moore, Kearfott and Cloud 2009, doi:10.1137/1.9780898717716), a point being one of no width: the interval
of an expression holds whatever it comes to within those of its facts. A fact that is named twice is taken to differ from itself.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product

from vitalbench.errors import ConfigError, choices

Interval = tuple[float, float]
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {  # none falls where an argument rises
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "min": min,
    "max": max,
}
_LONGEST = 400
_LARGEST_POWER = 64
_PLACE = re.compile(
    r"\{([^{}]*?)(?::(,?(?:\.[0-9])?[fg]))?\}"
)  # an expression within text, and how its value is written


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
            if node.func.id not in ("min", "max") and len(node.args) != 1:
                raise ConfigError(f"function '{node.func.id}' takes one number")
            for argument in node.args:
                check(argument)
        elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            named.append(_name(node))
        elif not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
            raise ConfigError(f"'{ast.unparse(node)}' is not arithmetic")
        elif node.value == math.inf:
            raise ConfigError("a number of at most 1.8e308 is allowed")

    try:
        check(_parsed(expression))
    except RecursionError:
        raise ConfigError(f"not an expression: {expression!r}") from None
    return named


def _power(base: Interval, exponent: Interval) -> Interval:
    if max(map(abs, exponent)) > _LARGEST_POWER:
        raise ConfigError(f"a power of at most {_LARGEST_POWER} is allowed")
    if base[0] <= 0 <= base[1] and (exponent[0] < 0 or exponent[0] != exponent[1]):
        raise ZeroDivisionError("a power of what may be zero")
    if base[0] < 0 and not (exponent[0] == exponent[1] and exponent[0].is_integer()):
        raise ValueError("a broken power of what may be negative")
    ends = [operator.pow(*pair) for pair in product(base, exponent)]
    least = 0.0 if base[0] < 0 < base[1] and exponent[0] % 2 == 0 and exponent[0] else min(ends)
    return least, max(ends)


def _combined(operation: type[ast.operator], left: Interval, right: Interval) -> Interval:
    if operation is ast.Pow:
        return _power(left, right)
    if operation is ast.Div and right[0] <= 0 <= right[1]:
        raise ZeroDivisionError("division by zero" if right == (0, 0) else "division by what may be zero")
    ends = [_BINARY[operation](*pair) for pair in product(left, right)]
    return min(ends), max(ends)


def enclose(expression: str, facts: Mapping[str, Interval]) -> Interval:
    """The interval that holds whatever an expression comes to within the intervals of its facts.

    >>> enclose("a / b", {"a": (3, 5), "b": (1, 4)})
    (0.75, 5.0)

    Raises:
        UnknownFact: a name is not among the facts.
        ConfigError: the expression holds anything but arithmetic, or its arithmetic has no result somewhere within.
    """
    for name in facts_named(expression):
        if name not in facts:
            raise UnknownFact(name)

    def value(node: ast.expr) -> Interval:
        if isinstance(node, ast.Constant):
            point = float(node.value)  # type: ignore[arg-type]  # facts_named has looked; a float's powers end at 1e308
            return point, point
        if isinstance(node, ast.BinOp):
            return _combined(type(node.op), value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp):
            low, high = value(node.operand)
            return -high, -low
        if isinstance(node, ast.Call):
            function, ends = _FUNCTIONS[ast.unparse(node.func)], [value(argument) for argument in node.args]
            return float(function(*(end[0] for end in ends))), float(function(*(end[1] for end in ends)))
        low, high = facts[_name(node)]
        return float(low), float(high)

    try:
        low, high = value(_parsed(expression))
    except (ZeroDivisionError, OverflowError, ValueError, TypeError) as error:
        raise ConfigError(f"{expression!r}: {error}") from None
    for end in (low, high):
        if not math.isfinite(end):
            raise ConfigError(f"{expression!r}: comes to {end}")
    return low, high


def evaluate(expression: str, facts: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """Evaluate an expression; return its value and the facts it used.

    >>> evaluate("a.b * 2 + ceil(0.5)", {"a.b": 3})
    (7.0, {'a.b': 3})

    Raises:
        UnknownFact: a name is not among the facts.
        ConfigError: the expression holds anything but arithmetic, or its arithmetic has no result.
    """
    found, _ = enclose(expression, {name: (value, value) for name, value in facts.items()})
    return found, {name: facts[name] for name in facts_named(expression)}


def places(text: str) -> Iterator[tuple[str, str]]:
    """The expressions within a text, `{expression}` or `{expression:format}`, each with its format.

    >>> list(places("of {24 * 30:,.0f} hours"))
    [('24 * 30', ',.0f')]

    Raises:
        ConfigError: a brace that belongs to none.
    """
    if set(_PLACE.sub("", text)) & set("{}"):
        raise ConfigError(f"{text!r}: a brace holds an expression, `{{24 * 30}}` or `{{24 * 30:,.0f}}`")
    for place in _PLACE.finditer(text):
        yield place[1], place[2] or ",.6g"


def written(text: str, facts: Mapping[str, float]) -> str:
    """A text with the values of its expressions; what stands between two semicolons and has one without a value is left out.

    >>> written("{24 * 30} h; {a.b:.1f} of them", {})
    '720 h'
    """
    clauses = []
    for clause in text.split("; "):
        for expression, how in places(clause):
            try:
                shown = format(evaluate(expression, facts)[0], how)
            except (UnknownFact, ConfigError):
                break
            clause = _PLACE.sub(lambda _, shown=shown: shown, clause, count=1)  # type: ignore[misc]
        else:
            clauses.append(clause)
    return "; ".join(clauses)
