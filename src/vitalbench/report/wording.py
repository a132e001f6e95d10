"""How numbers are written for people."""

import re
from collections.abc import Container

from markupsafe import Markup

from vitalbench.config.schema import Split

METRIC_NAMES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "fmax": "F-max",
    "brier": "Brier score",
    "ece": "ECE",
    "kl": "KL divergence",
}


def metric_name(metric: str) -> str:
    """A metric as a heading writes it."""
    return METRIC_NAMES.get(metric, metric)


def count(value: int) -> str:
    """Thousands apart.

    >>> count(21799)
    '21,799'
    """
    return f"{value:,}"


def plain(value: float) -> str:
    """A number without trailing zeros.

    >>> plain(21837.0), plain(680.272), plain(0.5)
    ('21,837', '680.3', '0.5')
    """
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def seconds(value: float | None) -> str:
    """Seconds in the unit that leaves few zeros.

    >>> seconds(0.00462), seconds(11.23), seconds(400.0), seconds(None)
    ('4.62 ms', '11.2 s', '6.7 min', '')
    """
    if value is None:
        return ""
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.1f} min"


def score(mean: float | None, low: float | None, high: float | None, exact: bool = False) -> Markup | str:
    """A value with its interval; `exact` where it is none of resamples."""
    if mean is None:
        return "none"
    around = "no interval" if low is None or high is None else f"{low:.3f} to {high:.3f}{' exact' * exact}"
    return Markup('{} <span class="range">{}</span>').format(f"{mean:.3f}", around)


def strip_markup(text: Markup | str) -> str:
    """The text alone, for a table that is not HTML; an interval is put in brackets.

    >>> strip_markup(score(0.8, 0.75, 0.85)), strip_markup("s4d")
    ('0.800 [0.750, 0.850]', 's4d')
    """
    if not isinstance(text, Markup):
        return text
    value, _, around = text.striptags().partition(" ")
    return f"{value} [{around.replace(' to ', ', ')}]" if " to " in around else f"{value} {around}".strip()


def badge(word: str) -> Markup:
    """A status or verdict, coloured by its class."""
    return Markup('<span class="{0}">{0}</span>').format(word)


def split_words(split: Split, columns: Container[str]) -> str:
    """How patients of a data set with these columns came to their splits."""
    official = split.official_in(columns)
    drawn = "patients drawn by a hash of their id" if official is None else f"official folds ({official})"
    if split.method == "patient-dealt":
        return "patients dealt evenly in the order of a hash of their id"
    if split.method == "named":
        return f"the splits that the release names ({split.column})"
    if split.method == "external":
        return f"{drawn} among the records of {split.train_on}, and all of {listed(split.test_on)} to test on ({split.column})"
    return drawn


def listed(names: list[str]) -> str:
    """Names as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def in_order(text: str) -> tuple[str, float, str]:
    """A key that sorts names as people read them, by their first number, and what lies under it before what begins with it.

    >>> sorted(["a=under 40", "a=80 and over", "a=40 to 59", "a=unknown", "a=60 to 79"], key=in_order)
    ['a=under 40', 'a=40 to 59', 'a=60 to 79', 'a=80 and over', 'a=unknown']
    """
    name, _, value = text.partition("=")
    number = re.search(r"\d+(\.\d+)?", value)
    first = float(number[0]) if number else float("inf")
    return name, first - 0.5 if value.startswith(("under", "below", "<")) else first, value
