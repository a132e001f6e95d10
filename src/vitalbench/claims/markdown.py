"""The ledger as a document: a table for each source, and the counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_HEAD = """# Claims

Every number that the founding documents and the published results report and that can be judged, by arithmetic and by what the data
sets' publishers state. What a number measured here would decide is `not-run` on this page; a suite's ledger
(`tables/claims.csv`) has it once it was measured.
Made by `vitalbench claims --markdown docs/CLAIMS.md`; the rows are those of `configs/claims/`.
"""
RELATIONS = {"equals": "", "at-most": "at most ", "at-least": "at least "}  # how a bound is written


def _cell(text: object) -> str:
    """Text that stays within its cell."""
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def found_of(row: Mapping[str, Any]) -> str:
    """What was found, as text: with its interval where that is more than a point, as published where nothing was measured."""
    if row.get("measured") is None:
        return "" if row.get("published") is None else f"{row['published']:,.6g} as published"
    low, high = row.get("interval_low"), row.get("interval_high")
    ranges = low is not None and high is not None and low < high
    return f"{row['measured']:,.6g}" + (f" [{low:,.6g}, {high:,.6g}]" if ranges else "")


def _counts(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(Counter(row["verdict"] for row in rows).items()))


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
        for row in own:
            tolerance = f" ± {row['tolerance']:,.6g}" if row["tolerance"] else ""
            lines.append(
                "| "
                + " | ".join(
                    _cell(cell)
                    for cell in (
                        row["claim"],
                        row["location"],
                        f"{RELATIONS[row['relation']]}{row['reported']:,.6g}{tolerance} {row['unit']}",
                        found_of(row),
                        row["verdict"],
                        row["method"],
                        f"`{row['evidence']}`" if row.get("evidence") else "",
                        row["reason"],
                    )
                )
                + " |"
            )
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
