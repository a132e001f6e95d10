"""The Pareto front of designs: those that no other one beats in everything at once."""

from collections.abc import Mapping

Point = tuple[float, ...]


def _beats(one: Point, other: Point) -> bool:
    """No worse anywhere, better somewhere."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def front(points: Mapping[str, Point]) -> dict[str, str]:
    """Who on the front beats each design, by its name; empty for one that is on it.

    Args:
        points: what counts of each design, less being better; all of one length.

    >>> front({"a": (1, 9), "b": (2, 2), "c": (3, 3)})
    {'a': '', 'b': '', 'c': 'b'}
    """
    on = {name: point for name, point in points.items() if not any(_beats(theirs, point) for theirs in points.values())}
    return {
        name: next((rival for rival, theirs in on.items() if _beats(theirs, point)), "")
        for name, point in points.items()
    }
