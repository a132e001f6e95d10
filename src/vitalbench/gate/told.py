"""What the gate found, for people, for machines, and as annotations and a summary that GitHub Actions shows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from vitalbench.config.schema import highest
from vitalbench.gate.check import Row
from vitalbench.gate.verdicts import Verdict

_VERDICTS: tuple[Verdict, ...] = ("pass", "no-verdict", "fail")
_GITHUB = {"fail": "error", "no-verdict": "warning"}


def _signed(row: Row) -> str:
    if row.now == 0:
        return "missing"
    if row.judged.low is None and not row.judged.difference:
        return "not compared"
    if row.kind == "speed":
        return f"{row.judged.difference:+.1%} time"
    return f"{row.judged.difference:+.4f}"


def line(row: Row) -> str:
    """One row in one line."""
    again = ", measured again" if row.confirmed and row.kind == "speed" else ""
    detectable = ""
    if row.judged.verdict == "no-verdict" and row.judged.detectable is not None:
        shown = f"{row.judged.detectable:.1%}" if row.kind == "speed" else f"{row.judged.detectable:.4f}"
        detectable = f"; a change of {shown} would be caught here four times in five"
        if row.kind == "accuracy" and row.judged.detectable > highest(row.what):
            detectable = f"; no change that {row.what} can have would be caught here"
    return f"{row.judged.verdict:>10}  {row.place} {row.what}: {_signed(row)} ({row.judged.reason}{again}){detectable}"


def counted(rows: Iterable[Row]) -> str:
    """How many of each verdict."""
    counts = _counts(rows)
    return ", ".join(f"{counts[name]} {name}" for name in _VERDICTS)


def _counts(rows: Iterable[Row]) -> Counter[Verdict]:
    return Counter(row.judged.verdict for row in rows)


def _of_all(rows: Iterable[Row]) -> Verdict:
    counts = _counts(rows)
    return "fail" if counts["fail"] else "pass" if counts["pass"] else "no-verdict"


def as_json(rows: list[Row], baseline: str | None, device: str, new: Sequence[str] = ()) -> dict[str, Any]:
    """Everything, for machines.

    Its verdict is `fail` where a row's is, else `pass` where one's is; `no-verdict` where no row has either, and `no-baseline`
    where nothing was held against one: neither is a failure, and neither says that anything was seen to hold.

    Args:
        baseline: the file; None where there is none.
        new: what the baseline does not have.
    """
    return {
        "baseline": baseline,
        "device": device,
        "verdict": _of_all(rows) if baseline else "no-baseline",
        "counts": {name: _counts(rows)[name] for name in _VERDICTS},
        "rows": [asdict(row) for row in rows],
        "not_judged": list(new),
    }


def unjudged(new: Sequence[str]) -> str:
    """What the baseline does not have and how it would, in one line."""
    how = "`vitalbench baseline update --add` takes it in, `--jobs 20` with what measuring jobs vary"
    return f"not judged, since the baseline does not have it ({how}): {'; '.join(new)}"


def annotations(rows: list[Row], new: Sequence[str] = ()) -> list[str]:
    """Workflow commands of GitHub Actions, one for each row that did not pass, and one for what is not judged."""
    notice = [f"::notice title=vitalbench not judged::{_escaped(unjudged(new))}"] if new else []
    return notice + [
        f"::{_GITHUB[row.judged.verdict]} title=vitalbench {row.kind}::{_escaped(line(row).strip())}"
        for row in rows
        if row.judged.verdict in _GITHUB
    ]


def _escaped(text: str) -> str:
    """As GitHub's runner reads messages of workflow commands."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def in_table(text: str) -> str:
    """As one cell of a Markdown table: a benchmark's name may hold what would end it."""
    return " ".join(text.split()).replace("|", "\\|")


def summary(rows: list[Row], new: Sequence[str] = ()) -> str:
    """A table in Markdown, for the job's summary."""
    head = "| verdict | cell | what | change | baseline | now | why |\n|---|---|---|---:|---:|---:|---|\n"
    body = "".join(
        f"| {row.judged.verdict} | {in_table(row.place)} | {in_table(row.what)} | {_signed(row)} "
        f"| {row.before} | {row.now} | {in_table(row.judged.reason)} |\n"
        for row in rows
    )
    foot = f"\n{in_table(unjudged(new))}\n" if new else ""
    return f"### Regression gate: {counted(rows)}\n\n{head}{body}{foot}"
