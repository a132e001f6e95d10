"""A dated reference in two tables of Markdown: the noise floor by phase, and the share of the device's limits by design."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from vitalbench.gate.measured_file import Row, read_reference
from vitalbench.gate.told import in_table

_NONE = "-"
_STEPS = ("train_step", "features")
_OWN, _LARGEST = "own batch", "largest batch"


def summary(path: Path) -> Iterator[str]:
    """The lines of a reference's tables, with a line above that says what it is of.

    Raises:
        InputError: it is no reference (gate/measured_file.py).
    """
    rows = read_reference(path)
    designs = {_design(row) for row in rows}
    days = sorted({row["measured_at"][:10] for row in rows})
    commits = sorted({row["git_commit"][:7] for row in rows})
    yield (
        f"`{path.name}`: {len(rows)} phases of {len(designs)} designs ({', '.join(sorted({row['size'] for row in rows}))}) "
        f"on {rows[0]['device_name']}, {rows[0]['threads']} threads, {' to '.join(dict.fromkeys((days[0], days[-1])))}, "
        f"commit {', '.join(commits)}:"
    )
    yield ""
    yield from _floors(rows)
    yield ""
    yield from _shares(rows)


def _design(row: Row) -> tuple[str, str]:
    return row["dataset"], row["design"]


def _labels(rows: list[Row]) -> dict[int, str]:
    """What each row is: its phase, and of inference the batch: a size that all have, the one trained with, or the largest."""
    sizes, trained = defaultdict(set), {}
    for row in rows:
        if row["phase"] == "inference":
            sizes[_design(row)].add(row["batch_size"])
        elif row["phase"] == "train_step":
            trained[_design(row)] = row["batch_size"]
    common = set.intersection(*sizes.values()) if sizes else set()

    def label(row: Row) -> str:
        if row["phase"] != "inference":
            return row["phase"]
        size = row["batch_size"]
        return f"inference of {size if size in common else _OWN if size == trained.get(_design(row)) else _LARGEST}"

    return {at: label(row) for at, row in enumerate(rows)}


def _range(values: list[str], form: str = "{:g}") -> str:
    numbers = [float(value) for value in values]
    ends = dict.fromkeys((form.format(min(numbers)), form.format(max(numbers))))
    return " to ".join(ends)


def _floors(rows: list[Row]) -> Iterator[str]:
    """The noise floor by phase: the median and the range over designs, of rows that nothing disturbed."""
    yield "| phase | designs | disturbed | repeats | noise floor, median | range |"
    yield "|---|---:|---:|---:|---:|---:|"
    labels, by_phase = _labels(rows), defaultdict(list)
    for at, row in enumerate(rows):
        by_phase[labels[at]].append(row)
    for phase, of in by_phase.items():
        calm = [row for row in of if "true" not in (row["disturbed"], row["throttled"])]
        floors = [row["noise_floor"] for row in calm if row["noise_floor"]]
        shown = f"{median(map(float, floors)):.1%} | {_range(floors, '{:.1%}')}" if floors else f"none | {_NONE}"
        repeats = _range([row["repeats"] for row in calm]) if calm else _NONE
        yield f"| `{in_table(phase)}` | {len(calm)} | {len(of) - len(calm)} | {repeats} | {shown} |"


def _shares(rows: list[Row]) -> Iterator[str]:
    """MFU and the share of the bandwidth by design, and why a cell is empty where a design has the phase."""
    labels = _labels(rows)
    inferences = dict.fromkeys(label for label in labels.values() if label.startswith("inference"))
    order = [label for label in (*_STEPS, *inferences) if label in labels.values()]
    yield (
        "| data set | design | "
        + " | ".join(f"`{in_table(label)}`" for label in order)
        + " | limits | halved | empty |"
    )
    yield "|---|---|" + "---:|" * len(order) + "---|---:|---|"
    by_design: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for at, row in enumerate(rows):
        if labels[at] in order:
            by_design[_design(row)][labels[at]] = row
    for (dataset, design), phases in by_design.items():
        cells = [_share(phases[label]) if label in phases else _NONE for label in order]
        why = [f"{label}: {_why(row)}" for label, row in phases.items() if not (row["mfu"] and row["bandwidth_share"])]
        limits = dict.fromkeys(_limits(row) for row in phases.values())
        halved = sum(int(float(row["halved"] or 0)) for row in phases.values())
        yield (
            f"| {in_table(dataset)} | {in_table(design)} | {' | '.join(cells)} | {in_table('; '.join(limits))} | {halved} "
            f"| {in_table('; '.join(why)) or _NONE} |"
        )


def _share(row: Row) -> str:
    both = [f"{float(row[name]):.3f}" if row[name] else "" for name in ("mfu", "bandwidth_share")]
    return " / ".join(both) if any(both) else ""


def _limits(row: Row) -> str:
    """The rates that shares are of, without what is said of them."""
    return ", ".join(part.split(",")[0] for part in row["limits"].split("; ") if "/s " in part) or _NONE


def _why(row: Row) -> str:
    """What `limits` says of a share that is not there (measure/phases.py)."""
    said = [part.partition(", ")[2] if "/s " in part else part for part in row["limits"].split("; ")]
    return ", ".join(dict.fromkeys(text for text in said if text)) or "no limit was found"
