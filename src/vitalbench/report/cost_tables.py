"""The tables of the page that are about money and about hardware that is not here."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from markupsafe import Markup

from vitalbench.amounts import shown_size
from vitalbench.cost.projector import LEVEL
from vitalbench.report.wording import seconds
from vitalbench.results import Results
from vitalbench.tables import number, read_table

# The parts of a whole run beside training stand in the table alone.
PHASES = {"train": "training", "run": "a whole run", "epoch": "an epoch", "inference_1000": "1,000 records"}


def _first_runs(results: Results, basis: str) -> list[dict[str, str]]:
    """The rows of the first run of each design at every price."""
    first: dict[tuple[str, ...], dict[str, str]] = {}
    for row in read_table("cost", results.table("cost")):
        if row["basis"] == basis:
            place = ("dataset", "task", "design", "target", "phase", "provider", "sku", "purchase")
            first.setdefault(tuple(row[name] for name in place), row)
    return [*first.values()]


def _price(row: dict[str, str]) -> str:
    machine = f", {row['gpus']} GPUs" if int(row["gpus"]) > 1 else ""
    return ", ".join(
        part for part in (f"{row['provider']} {row['sku']}{machine}", row["purchase"], row["region"]) if part
    )


def _date(row: dict[str, str]) -> Markup:
    return Markup('<span class="nowrap">{}</span>').format(row["price_date"])


def cost_rows(results: Results) -> list[list[Any]]:
    """Measured: the first run of each design at every price."""
    rows = []
    for row in _first_runs(results, "measured"):
        if row["phase"] not in PHASES:
            continue
        usd, low, high, hours = (float(row[name]) for name in ("usd", "usd_low", "usd_high", "hours"))
        rows.append(
            [
                row["design"],
                PHASES[row["phase"]],
                _price(row),
                f"{float(row['usd_per_hour']):.4f}",
                _date(row),
                f"{hours:.5f}",
                f"{usd:.6f}",
                f"{low:.6f} to {high:.6f}",
            ]
        )
    return rows


def _usd(row: dict[str, str] | None, ends: bool = True) -> str:
    if row is None:
        return ""
    usd, low, high = (float(row[name]) for name in ("usd", "usd_low", "usd_high"))
    return f"{usd:.2g}, {low:.2g} to {high:.2g}" if ends else f"{usd:.2g}"


def projected_rows(results: Results) -> list[list[Any]]:
    """Projected: the first cell of each design on each target that is not here, a row a price, what is paid for side by side."""
    groups: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for row in _first_runs(results, "projected"):
        groups.setdefault(
            tuple(row[name] for name in ("dataset", "task", "design", "target", "provider", "sku", "purchase")), {}
        )[row["phase"]] = row
    rows = []
    for phases in groups.values():
        row = next(iter(phases.values()))
        hours = f"{seconds(float(phases['train']['hours']) * 3600)}" if "train" in phases else ""
        outside = next((told["outside"] for told in phases.values() if told["outside"]), "")
        paid = [
            _usd(phases.get("train")),
            *(_usd(phases.get(name), ends=False) for name in ("epoch", "inference_1000")),
        ]
        rows.append(
            [
                row["design"],
                row["target"],
                _price(row),
                _date(row),
                f"{float(row['usd_per_hour']):.3f}",
                hours,
                *paid,
                outside,
            ]
        )
    return rows


def _mean(rows: list[dict[str, str]], column: str) -> float | None:
    values = [value for value in (number(row[column]) for row in rows) if value is not None]
    return fmean(values) if values else None


def reached_rows(results: Results) -> list[list[Any]]:
    """How long designs took to a level of their task's metric on validation records, and what it cost: over runs that did."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in read_table("reached", results.table("reached")):
        groups.setdefault(tuple(row[name] for name in ("task", "design", "target", "level")), []).append(row)
    shown = []
    for (task, design, target, level), rows in groups.items():
        reached = [row for row in rows if row["reached"] == "true"]
        away = rows[0]["projected_from"]
        means = {name: _mean(reached, name) for name in ("epochs", "hours", "hours_low", "hours_high")}
        usd = [_mean(reached, name) for name in ("usd", "usd_low", "usd_high")]
        best = max(float(row["best"]) for row in rows)
        hours = [means[name] for name in ("hours", "hours_low", "hours_high")]
        middle, low, high = (seconds(None if value is None else value * 3600) for value in hours)
        ends = f", {low} to {high}" if away and middle else ""
        shown.append(
            [
                task,
                design,
                f"{target}, projected from {away}" if away else target,
                f"{float(level):g}",
                f"{len(reached)} of {len(rows)}",
                "" if means["epochs"] is None else f"{means['epochs']:.1f}",
                f"{middle}{ends}",
                _dollars(usd, bool(away)),
                reached[0]["sku"] if usd[0] is not None else "",
                f"{best:.3f}",
                reached[0]["outside"] if reached else "",
            ]
        )
    return shown


def _dollars(usd: list[float | None], ends: bool) -> str:
    middle, low, high = usd
    if middle is None:
        return ""
    return f"{middle:.2g}, {low:.2g} to {high:.2g}" if ends else f"{middle:.6f}"


def projected_steps(results: Results) -> list[list[Any]]:
    """Projected phases of the first cell of each design and target."""
    first: dict[tuple[str, ...], dict[str, str]] = {}
    for row in read_table("projected", results.table("projected")):
        place = tuple(row[name] for name in ("dataset", "task", "design", "target", "phase", "batch_size"))
        first.setdefault(place, row)
    rows = []
    for row in first.values():
        middle, low, high = (
            seconds(float(row[name])) for name in ("projected_s", "projected_low_s", "projected_high_s")
        )
        rows.append(
            [
                row["design"],
                row["target"],
                row["projected_to"],
                row["phase"],
                row["batch_size"],
                f"{seconds(float(row['measured_s']))} on {row['projected_from']}, {row['from_device']}"
                + (" (disturbed)" if row["disturbed"] == "true" else ""),
                middle,
                f"{low} to {high}",
                row["outside"],
            ]
        )
    return rows


def storage_table(results: Results) -> tuple[list[str], list[list[Any]]]:
    """What is kept, a row a part, and what a month of it costs at each cloud's hot tier."""
    rows = [row for row in read_table("storage", results.table("storage")) if row["tier"] == "hot"]
    skus = list(dict.fromkeys(f"{row['provider']} {row['sku']}" for row in rows))
    found: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        line = found.setdefault(
            (row["dataset"], row["part"]),
            [row["dataset"], row["part"], shown_size(int(float(row["bytes"]))), row["basis"]],
        )
        line.append(f"{float(row['usd_month']):.2g}")
    return ["Data set", "what", "#size", "basis", *(f"#{sku}" for sku in skus)], [*found.values()]


def unpriced(results: Results) -> str:
    """The targets that cells are projected to and no price is named for; empty where there is none."""
    targets = dict.fromkeys(cell.cell.target for cell in results.projected)
    without = [name for name in targets if not results.suite["targets"][name]["prices"]]
    return ", ".join(without)


@dataclass(frozen=True)
class Errors:
    """How far projections are off: a row for all pairs by what was left out, a row a pair of devices; and the intervals' level."""

    whole: list[list[Any]]
    pairs: list[list[Any]]
    level: str


_LEFT_OUT = {
    "device": "the GPU projected to",
    "model": "the model",
    "cpu": "the CPU projected from",
}


def projection_errors(results: Results) -> Errors | None:
    """The projector's error on published times; None where the suite projects nothing."""
    if not results.projected:
        return None
    found: dict[bool, list[list[Any]]] = {True: [], False: []}
    for row in read_table("projection", results.table("projection")):
        whole = row["source"] == "all"
        shares = (
            f"{float(row[name]):.1%}"
            for name in ("projected_error", "blend_error", "peak_error", "bandwidth_error", "held")
        )
        pair = [] if whole else [row["source"], row["projected_to"]]
        of_pairs = (
            [f"{float(row['held_by_pair']):.1%}", f"{float(row['pairs_held']):.0%} of {row['pairs']}"] if whole else []
        )
        found[whole].append([_LEFT_OUT[row["left_out"]], *pair, row["times"], *shares, *of_pairs])
    return Errors(found[True], found[False], f"{LEVEL:.0%}")
