"""A WFDB header held line by line against header(5), before the library takes of each line what it can and leaves the rest."""

import re
from collections.abc import Callable
from pathlib import Path

from vitalbench.data.datasets import UnreadableRecord
from vitalbench.data.wfdb_formats import GAIN, LONGEST_LINE

_RATE = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:/-?\d+\.?\d*(?:\(-?\d+\.?\d*\))?)?"
_RECORD = re.compile(rf"(\S+?)(/\d+)?\s+(\d+)(?:\s+{_RATE}(?:\s+\d+(?:\s+[\d:.]+(?:\s+[\d/]+)?)?)?)?")
_FORMAT = re.compile(r"\d+(?:x\d+)?(?::\d+)?(?:\+\d+)?")
_WHOLE = re.compile(r"-?\d+")
_INTEGERS = ("resolution", "zero", "first value", "checksum", "block size")


def hold_lines(path: Path, text: str) -> list[str]:
    """Hold a header's lines against what they may say.

    Args:
        path: the record, without extension.
        text: its header.

    Returns:
        Which signals are uncalibrated: their gain is 0 or left out, for which the library puts 200 units a millivolt.

    Raises:
        UnreadableRecord: the header is of another record, a line says what none may, or there are fewer or more than it says. What
            a line holds may be anything, so no message repeats it.
    """

    def bad(what: str) -> UnreadableRecord:
        return UnreadableRecord("bad-header", f"{path.name}.hea: {what}")

    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise bad("empty, or cut off before its first signal")
    if max(map(len, lines)) > LONGEST_LINE:
        raise bad(f"a line of more than {LONGEST_LINE} characters")
    record = _RECORD.fullmatch(lines[0])
    if record is None:
        raise bad("its first line is none of a record")
    hold_name(path, record[1])
    several, stated = record[2] is not None, record[2][1:] if record[2] else record[3]
    if str(len(lines) - 1) != (stated.lstrip("0") or "0"):
        raise bad(f"says {stated} {'segments' if several else 'signals'}, and has {len(lines) - 1} lines of them")
    return [] if several else _uncalibrated(lines[1:], bad)


def hold_name(path: Path, name: str) -> None:
    """Refuse a header that calls its record something else than its file does: its samples are another record's, too."""
    if name != path.name:
        raise UnreadableRecord("bad-header", f"{path.name}.hea: the header of another record")


def _uncalibrated(lines: list[str], bad: Callable[[str], UnreadableRecord]) -> list[str]:
    found = []
    for number, line in enumerate(lines, 1):
        _, form, *rest = [*line.split(None, 8), ""]
        fields, name = rest[:-1], f"signal {number}"
        if not _FORMAT.fullmatch(form):
            raise bad(f"{name}: a format that is none")
        gain = GAIN.fullmatch(fields[0]) if fields else None
        if fields and gain is None:
            raise bad(f"{name}: a gain that is none")
        for field, value in zip(_INTEGERS, fields[1:], strict=False):
            if not _WHOLE.fullmatch(value):
                raise bad(f"{name}: {field} that is none")
        if gain is None or not float(gain[1]):
            lead = fields[-1] if len(fields) > len(_INTEGERS) + 1 else name
            found.append(lead.encode("ascii", "ignore").decode())  # as the library calls it
    return found
