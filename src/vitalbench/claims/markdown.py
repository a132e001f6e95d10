"""The ledger as a document: a table for each source, and the counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_HEAD = """# Claims

Every number that the founding documents and the published results report and that can be judged: by arithmetic, by what others
state (publishers of data sets, price lists, data sheets), and by projection from declared rates. What a number measured here would
decide is `not-run` on this page; a suite's ledger (`tables/claims.csv`) has it once it was measured. What others state can refute
a number; that the two agree re-derives nothing, so that is `not-run` too. `projected` is what a projection lets stand.
Made by `vitalbench claims --markdown docs/CLAIMS.md`; the rows are those of `configs/claims/`.
"""
KINDS = {"measured": "", "projected": " projected", "published": " as published"}  # a column each, and how it is told
_HUGE = 10**15  # from where on a number is told as a power of ten
_AS_REPORTED = 10  # digits
RELATIONS = {"equals": "", "at-most": "at most ", "at-least": "at least "}  # how a bound is written


def _cell(text: object) -> str:
    """Text that stays within its cell."""
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def shown(value: float, digits: int = 4) -> str:
    """A number for people: whole where it is whole or so many digits before the point, never a power of ten.

    >>> shown(4004613.0), shown(0.85673), shown(15809.5), shown(11.383), shown(11.383, digits=10)
    ('4,004,613', '0.8567', '15,810', '11.38', '11.383')
    """
    if not abs(value) < _HUGE:
        return f"{value:.{digits}g}"
    if value == int(value) or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:,.{digits}g}"


def reported_of(row: Mapping[str, Any]) -> str:
    """What the document reports, as text: a number, a bound or a range, with its tolerance and unit."""
    last = row.get("reported_to")
    span = shown(row["reported"], _AS_REPORTED) + (f" to {shown(last, _AS_REPORTED)}" if last is not None else "")
    tolerance = f" ± {shown(row['tolerance'], _AS_REPORTED)}" if row["tolerance"] else ""
    return f"{RELATIONS[row['relation']]}{span}{tolerance} {row['unit']}"


def found_of(row: Mapping[str, Any]) -> str:
    """What was found, as text: with its interval where that is more than a point, and told apart where nothing was measured."""
    kind = next((kind for kind in KINDS if row.get(kind) is not None), None)
    if kind is None:
        return ""
    first: float = row[kind]
    last: float | None = row.get("found_to")
    span = shown(first) + (f" to {shown(last)}" if last is not None else "")
    low, high = row.get("interval_low"), row.get("interval_high")
    point = first if last is None else last
    if low is not None and high is not None and (low < min(first, point) or high > max(first, point)):
        span += f" [{shown(low)}, {shown(high)}]"
    return span + KINDS[kind]


def _counts(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(Counter(row["verdict"] for row in rows).items()))


def _code(text: str) -> str:
    return "`" + text.replace("`", "'") + "`"


def _line(row: dict[str, Any]) -> str:
    cells = (
        row["claim"],
        row["location"],
        reported_of(row),
        found_of(row),
        row["verdict"],
        row["method"],
        _code(row["evidence"]) if row.get("evidence") else "",
        row["reason"],
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def markdown(rows: Iterable[dict[str, Any]]) -> str:
    """The document of ledger rows, in their order."""
    listed = list(rows)
    parts = [_HEAD, f"{len(listed)} numbers: {_counts(listed)}.\n"]
    for source in dict.fromkeys(row["source"] for row in listed):
        own = [row for row in listed if row["source"] == source]
        parts.append(f"## {source}\n\n{len(own)} numbers: {_counts(own)}.\n")
        lines = [
            "| claim | where, and what it says | reported, and the tolerance | found | verdict | method | by | why |",
            "|---|---|---:|---:|---|---|---|---|",
        ]
        lines += [_line(row) for row in own]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
