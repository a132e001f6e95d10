"""The front of designs: who is beaten in everything at once, and by whom."""

import pytest

from vitalbench.report.pareto import front


@pytest.mark.parametrize(
    ("points", "beaten"),
    [
        ({"a": (1.0, 1.0, 1.0), "b": (2.0, 2.0, 2.0)}, {"a": "", "b": "a"}),
        ({"a": (1.0, 3.0, 1.0), "b": (2.0, 2.0, 2.0)}, {"a": "", "b": ""}),
        ({"a": (1.0, 1.0, 1.0), "b": (1.0, 1.0, 1.0)}, {"a": "", "b": ""}),  # alike: neither is better
        ({"a": (1.0, 1.0, 1.0), "b": (1.0, 1.0, 1.5)}, {"a": "", "b": "a"}),
        ({"c": (3.0, 3.0, 3.0), "b": (2.0, 2.0, 2.0), "a": (1.0, 1.0, 1.0)}, {"c": "a", "b": "a", "a": ""}),
    ],
)
def test_a_design_is_off_the_front_where_another_is_nowhere_worse(points, beaten):
    assert front(points) == beaten
