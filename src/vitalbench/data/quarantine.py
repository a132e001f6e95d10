"""How many records may be kept out of a store before it is the configuration, or the copy, that is wrong and not the records."""

from collections import Counter
from pathlib import Path
from typing import TextIO

import pandas as pd

from vitalbench.errors import GateError
from vitalbench.files import atomic
from vitalbench.progress import say

REFUSED = "quality.refused.csv"  # what was found in a build that was not made; beside the store, which stays as it was
_SHOWN = 4


class TooManyQuarantined(GateError):
    """The refusal of a build; `share` is how many and why, without what is said of its folder."""

    def __init__(self, share: str, folder: Path, table: Path) -> None:
        super().__init__(
            f"{folder}: {share}; see {table}; no store was made of it. "
            "Its parts stand: `vitalbench store --recover VERSION` brings an earlier store back; `--versions` lists them"
        )
        self.share = share


def hold_quarantined(findings: list[Path], stored: int, limit: float, folder: Path) -> None:
    """Tell how many records are quarantined, and why; end where they are too many.

    Args:
        findings: the parts' tables of findings, a row a finding; no record is in two of them.
        stored: records that are not quarantined.
        limit: the largest share that may be.
        folder: where the table goes that a refusal names.

    Raises:
        TooManyQuarantined: more are quarantined. Nothing but that table was written.
    """
    reasons: Counter[str] = Counter()
    for path in findings:
        found = pd.read_csv(path, dtype=str, usecols=["record_id", "check", "action"])
        reasons.update(found[found["action"] == "quarantined"].drop_duplicates("record_id")["check"])
    table = folder / REFUSED
    count = reasons.total()
    if not count:
        table.unlink(missing_ok=True)
        return
    told = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    why = ", ".join(f"{number} {check}" for check, number in told[:_SHOWN])
    if len(told) > _SHOWN:
        why += f", {sum(number for _, number in told[_SHOWN:])} for other reasons"
    share = f"{count} of {count + stored} records quarantined ({count / (count + stored):.1%})"
    if count / (count + stored) > limit:
        with atomic(table) as temporary, temporary.open("w", encoding="utf-8", newline="") as target:
            write_findings(findings, target)
        raise TooManyQuarantined(f"{share}, quality.max_quarantined allows {limit:.1%}: {why}", folder, table)
    table.unlink(missing_ok=True)
    say(f"{folder}: {share}: {why}")


def write_findings(findings: list[Path], target: TextIO) -> None:
    """Write tables of findings one after the other, under one head, a line at a time."""
    for number, path in enumerate(findings):
        with path.open(encoding="utf-8", newline="") as lines:
            head = next(lines)
            if number == 0:
                target.write(head)
            target.writelines(lines)
