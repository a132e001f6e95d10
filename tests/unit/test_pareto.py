"""The front of designs: who is beaten in everything at once, and by whom."""

from types import SimpleNamespace

import pytest

from vitalbench.report.pareto import front
from vitalbench.report.task_section import _front


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


def told(usd: dict[str, float | None], prices: list[str]):
    """What the page asks of a task's tables, of designs a and b."""
    return SimpleNamespace(
        designs=["a", "b", "chance"],
        target="here",
        task=SimpleNamespace(primary="auroc", direction="higher"),
        results=SimpleNamespace(suite={"targets": {"here": {"prices": prices}}}),
        is_control=lambda name: name == "chance",
        primary=lambda name: {"a": 0.9, "b": 0.8, "chance": 0.5}[name],
        usd=usd.get,
        latency=lambda name: 0.001,
    )


def test_where_there_is_no_front_its_place_says_why():
    assert "a; off it: b, behind a." in _front(told({"a": 1.0, "b": 2.0}, ["k"]))
    nothing = _front(told({}, []))
    assert nothing.startswith(
        "No front of macro AUROC, USD of training and time of one record: of no designs all three are"
    )
    assert nothing.endswith("a has no price; b has no price; target here names no price.")
    assert _front(told({"a": 1.0}, ["k"])).endswith(": of 1 design all three are known; b has no price.")
