"""Which design to pick for a task, said from the comparison table alone."""

from dataclasses import dataclass

Row = dict[str, str]


@dataclass(frozen=True)
class Pick:
    """A recommendation: the design, or none, and the sentence that says why."""

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


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def pick(
    rows: list[Row], scores: dict[str, float], controls: list[str], hours: dict[str, float], *, higher: bool, metric: str, patients: int
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
        return Pick(None, "No design was measured, so there is none to pick.")
    best = (max if higher else min)(scores, key=lambda name: scores[name])
    unbeaten = [control for control in controls if _verdict(rows, best, control) != "better"]
    if unbeaten:
        return Pick(
            None,
            f"None: the highest-scoring design, {best}, is not shown to be better than {_listed(unbeaten)} "
            f"on {patients} test patients.",
        )
    others = [name for name in scores if name != best]
    equivalent = [name for name in others if _verdict(rows, best, name) == "equivalent"]
    open_cases = [name for name in others if _verdict(rows, best, name) == "no-verdict"]
    cheapest = min([best, *equivalent], key=lambda name: hours.get(name, float("inf")))
    if cheapest != best:
        ratio = hours[best] / hours[cheapest] if best in hours else None
        faster = f" and trains {ratio:.1f} times faster" if ratio else ""
        sentence = f"{cheapest}: equivalent to the highest {metric} ({best}) within the margin{faster}."
    elif not others:
        sentence = f"{best}: the only design measured; it is better than its controls."
    elif len(others) == len(equivalent) + len(open_cases) and not equivalent:
        sentence = f"{best}, with reserve: it scores highest, but {_listed(open_cases)} is not separated from it on {patients} test patients."
        return Pick(best, sentence)
    else:
        beaten = [name for name in others if name not in equivalent and name not in open_cases]
        parts = [f"better {metric} than {_listed(beaten)}"] if beaten else []
        parts += [f"equivalent to {_listed(equivalent)} and cheaper to train"] if equivalent else []
        sentence = f"{best}: {'; '.join(parts)}."
    if open_cases:
        sentence += f" Not separated from it on {patients} test patients: {_listed(open_cases)}."
    return Pick(cheapest, sentence)
