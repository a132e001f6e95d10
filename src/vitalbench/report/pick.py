"""Which design to pick for a task, said from the comparison table alone."""

from dataclasses import dataclass

from vitalbench.report.wording import listed

Row = dict[str, str]


@dataclass(frozen=True)
class Pick:
    """A recommendation: the design, or none, and the sentence that says it and why."""

    design: str | None
    sentence: str


def _verdict(rows: list[Row], a: str, b: str) -> str:
    """The verdict of a against b, whichever way round the pair stands in the table."""
    turned = {"better": "worse", "worse": "better"}
    for row in rows:
        if (row["design_a"], row["design_b"]) == (a, b):
            return row["verdict"]
        if (row["design_a"], row["design_b"]) == (b, a):
            return turned.get(row["verdict"], row["verdict"])
    return "no-verdict"


def pick(
    rows: list[Row],
    scores: dict[str, float],
    controls: list[str],
    hours: dict[str, float],
    *,
    higher: bool,
    metric: str,
    patients: int,
) -> Pick:
    """Recommend a design.

    Args:
        rows: the comparison rows of one task's primary metric, macro, all test patients.
        scores: the designs' means of that metric, controls left out.
        controls: lower controls, which a design must beat to be worth anything.
        hours: training time by design, where it was measured.
        higher: whether a higher value is better.
        metric: its name, for the sentence.
        patients: in the test split.
    """
    if not scores:
        return Pick(None, "No pick: no design was measured.")
    best = (max if higher else min)(scores, key=lambda name: scores[name])
    unbeaten = [control for control in controls if _verdict(rows, best, control) != "better"]
    if unbeaten:
        return Pick(
            None,
            f"No pick: the highest-scoring design, {best}, is not shown to be better than {listed(unbeaten)} "
            f"on {patients} test patients.",
        )
    others = [name for name in scores if name != best]
    if not others:
        said = "and better than its controls" if controls else "and no control was measured beside it"
        return Pick(best, f"Pick {best}: the only design measured, {said}.")
    equivalent = [name for name in others if _verdict(rows, best, name) == "equivalent"]
    unclear = [name for name in others if _verdict(rows, best, name) == "no-verdict"]
    beaten = [name for name in others if name not in equivalent and name not in unclear]
    cheapest = min([best, *equivalent], key=lambda name: hours.get(name, float("inf")))
    parts = [f"{metric} {scores[cheapest]:.3f}"]
    if cheapest != best:
        faster = f", and trained {hours[best] / hours[cheapest]:.1f} times faster" if best in hours else ""
        parts.append(f"equivalent to the highest, {best}, within the margin{faster}")
    else:
        parts += [f"better than {listed(beaten)}"] if beaten else []
        timed = best in hours and all(name in hours for name in equivalent)
        cheaper = ", and faster to train" if timed else ""
        parts += [f"equivalent to {listed(equivalent)} within the margin{cheaper}"] if equivalent else []
    if unclear:
        parts.append(f"not separated from {listed(unclear)} on {patients} test patients")
    parts += [] if controls else ["no control was measured beside it"]
    return Pick(cheapest, f"Pick {cheapest}: {'; '.join(parts)}.")
