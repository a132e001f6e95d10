"""Arithmetic on intervals holds whatever comes of the points within, and words carry figures that were worked out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitalbench.config.expression import enclose, evaluate, places, written
from vitalbench.errors import ConfigError

FACTS = {"a": (-3.0, 2.0), "b": (0.5, 4.0), "c": (2.0, 2.0)}
LEAVES = st.sampled_from(["a", "b", "c", "3", "0.25"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(inner, st.sampled_from(["0", "1", "2", "3", "-1"])).map(lambda parts: f"({parts[0]} ** {parts[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
        inner.map(lambda text: f"ceil({text})"),
        inner.map(lambda text: f"(-{text})"),
    ),
    max_leaves=6,
)
SHARES = st.floats(0, 1)


@given(EXPRESSIONS, SHARES, SHARES)
def test_an_interval_holds_what_every_point_within_comes_to(expression, first, second):
    try:
        low, high = enclose(expression, FACTS)
    except ConfigError:
        return  # it has no result somewhere within, which is said
    point = {
        name: low + share * (high - low)
        for (name, (low, high)), share in zip(FACTS.items(), (first, second, 0), strict=True)
    }
    found, _ = evaluate(expression, point)
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    assert low - slack <= found <= high + slack


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("a ** 2", (0.0, 9.0)),
        ("a ** 3", (-27.0, 8.0)),
        ("a * a", (-6.0, 9.0)),
        ("c / b", (0.5, 4.0)),
        ("ceil(b)", (1.0, 4.0)),
        ("2 ** b", (2**0.5, 16.0)),
    ],
)
def test_the_ends(text, ends):
    assert enclose(text, FACTS) == pytest.approx(ends)


@pytest.mark.parametrize("text", ["1 / a", "a ** -1", "a ** 0.5", "sqrt(a)", "a ** b", "1e999", "min(1, 1e999)"])
def test_what_has_no_result_somewhere_within_is_refused(text):
    with pytest.raises(ConfigError):
        enclose(text, FACTS)


def test_figures_within_words_are_worked_out():
    assert written("at {24 * 30:,.0f} h it is {24 * 30 * a.b:,.1f}", {"a.b": 2.0}) == "at 720 h it is 1,440.0"
    assert list(places("none")) == []


def test_a_clause_whose_figure_is_not_known_is_left_out():
    assert written("first {1 + 1}; then {a.b:.1f} of it; last", {}) == "first 2; last"
    assert written("{1 / a.b}; last", {"a.b": 0.0}) == "last"


@pytest.mark.parametrize("text", ["a { b", "a } b", "a {{1}}"])
def test_a_brace_that_holds_no_expression_is_refused(text):
    with pytest.raises(ConfigError, match="a brace holds an expression"):
        list(places(text))
