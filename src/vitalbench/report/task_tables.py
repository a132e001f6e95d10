"""The tables of a task's section."""

from typing import Any

from markupsafe import Markup

from vitalbench.config.schema import MACRO
from vitalbench.report.published import Published
from vitalbench.report.task_data import Row, TaskData
from vitalbench.report.wording import badge, count, in_order, metric_name, score, seconds
from vitalbench.tables import number


def _shown(row: Row | None) -> Any:
    return score(number(row["mean"]), number(row["ci_low"]), number(row["ci_high"])) if row else "none"


def _three(row: Row | None) -> str:
    return f"{float(row['mean']):.3f}" if row else ""


def _training(data: TaskData, design: str) -> str:
    if design not in data.hours:
        return ""
    return seconds(data.hours[design] * 3600) + (" (disturbed)" if data.disturbed(design) else "")


def main_table(data: TaskData) -> tuple[list[str], list[dict[str, Any]]]:
    """Every design, best first: its scores, what it took and what it cost."""
    primary = data.task.primary
    others = [metric for metric in ("fmax", "auprc", "accuracy", "brier") if metric != primary]
    # Where nobody tested has a class, or all have, no metric of it has a value.
    beside = next((name for name in others if any(data.score(design, name) for design in data.designs)), others[0])
    head = [
        "Design",
        f"#{metric_name(primary)}, 95 % interval",
        "#between seeds",
        f"#{metric_name(beside)}",
        "#ECE",
        "#parameters",
        "#training",
        "#USD",
        "#one record",
    ]
    sign = 1 if data.task.direction == "lower" else -1
    rows = []
    for design in sorted(data.designs, key=lambda name: sign * (data.primary(name) or 0)):
        row = data.score(design, primary)
        spread, parameters, usd = number(row["sd_seeds"]) if row else None, data.parameters(design), data.usd(design)
        cells = [
            design,
            _shown(row),
            "" if spread is None else f"±{spread:.3f}",
            _three(data.score(design, beside)),
            _three(data.score(design, "ece")),
            count(parameters) if parameters else "",
            _training(data, design),
            "" if usd is None else f"{usd:.5f}",
            seconds(data.latency(design)),
        ]
        rows.append({"cells": cells, "control": data.is_control(design)})
    return head, rows


def _beside(row: Row) -> Any:
    """How long one training takes over another's, and whether that says anything: if not, why, and what would decide."""
    ratio, verdict = number(row["time_ratio"]), row["time_verdict"]
    times = "" if ratio is None else f"{ratio:.2f}"
    if verdict == "no-verdict":
        return Markup('{} <span class="range">no-verdict: {}</span>').format(times, row["time_reason"])
    return f"{times} ({verdict})" if verdict else times


def pair_rows(data: TaskData) -> list[list[Any]]:
    """Every pair of designs on the primary metric."""
    rows = []
    for row in data.primary_pairs:
        low, high, p = (number(row[name]) for name in ("ci_low", "ci_high", "p_corrected"))
        said = row["reason"] or row["would_decide"]
        rows.append(
            [
                row["design_a"],
                row["design_b"],
                f"{float(row['difference']):+.3f}",
                "" if low is None or high is None else f"{low:+.3f} to {high:+.3f}",
                "" if p is None else f"{p:.3f}",
                _beside(row),
                badge(row["verdict"]) + (Markup(' <span class="range">{}</span>').format(said) if said else ""),
            ]
        )
    return rows


def class_table(data: TaskData, others: Published) -> tuple[list[str], list[list[Any]]]:
    """The primary metric of every class, a column a design; then, with their mean, what others published of the release."""
    primary, told = data.task.primary, others.values.values()
    mean = [(MACRO, "mean", "")] if others.values else []
    rows = [
        [name, found, *(_shown(data.score(design, primary, label)) for design in data.designs)]
        + [of.get(label, "") for of in told]
        for label, name, found in [*((label, label, found) for label, found in data.positives.items()), *mean]
    ]
    heads = [*(f"#{design}" for design in data.designs), *(f"#published: {source}" for source in others.values)]
    return ["Class", "#positives", *heads], rows


def group_table(data: TaskData) -> tuple[list[str], list[list[Any]]]:
    """The primary metric of every subgroup, a column a design."""
    sizes = {group: records for (split, group), (records, _) in data.sizes.items() if split == "test"}
    rows = [
        [group.replace("=", ": ").replace("_", " "), size]
        + [_shown(data.score(design, data.task.primary, subgroup=group)) for design in data.designs]
        for group, size in sorted(sizes.items(), key=lambda item: in_order(item[0]))
    ]
    return ["Subgroup", "#records", *(f"#{design}" for design in data.designs)], rows
