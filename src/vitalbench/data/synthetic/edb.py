"""European ST-T made of generated recordings: the database's names, its many orders of leads, headers, format 212 and episodes.

Planted is what the release holds, as ECGBench 1.0.0 (labels/edb.py) reports it of all its files: one subject's recordings whose
headers list the same findings in another order, or differ in the age; an age that is not known; offsets of millivolts; rubbish
behind the end mark of a note; doubled signs that are no episodes; small letters where a turned axis looks like a change; episodes
that are not ended.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitalbench.config.dataset import StandIn
from vitalbench.data.synthetic.annotated import Heart, recording, write_annotated
from vitalbench.data.wfdb_record import mark_folder

_NUMBERS = [
    103, 104, 105, 106, 107, 108, 110, 111, 112, 113, 114, 115, 116, 118, 119, 121, 122, 123, 124, 125, 126, 127,
    129, 133, 136, 139, 147, 148, 151, 154, 155, 159, 161, 162, 163, 166, 170, 202, 203, 204, 205, 206, 207, 208,
    210, 211, 212, 213, 302, 303, 304, 305, 306, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 417, 418, 501,
    509, 515, 601, 602, 603, 604, 605, 606, 607, 609, 610, 611, 612, 613, 614, 615, 704, 801, 808, 817, 818, 1301,
    1302, 1304,
]  # fmt: skip
RECORDS = [f"e{number:04d}" for number in _NUMBERS]
_SAME = {
    "e0119": "e0118",
    "e0121": "e0118",
    "e0122": "e0118",
    "e0124": "e0123",
    "e0125": "e0123",
    "e0126": "e0123",
    "e0210": "e0206",
}
# Most frequent first; the same two leads come in either order.
_LEADS = (
    ("V5", "MLI"),
    ("V4", "MLIII"),
    ("MLIII", "V4"),
    ("V5", "MLIII"),
    ("V5", "V1"),
    ("V2", "V5"),
    ("V1", "V5"),
    ("MLIII", "V3"),
)
_FINDINGS = ("Mixed angina", "Resting angina", "Effort angina", "1-vessel disease (LAD)", "2-vessel disease (RCA,LAD)",
             "Arterial hypertension", "Myocardial infarction", "Normal coronary arteries")  # fmt: skip
_MEDICATIONS = ("nitrates", "nitrates, diltiazem", "beta blockers", "nifedipine", "none")
_RECORDERS = ("ICR 7200", "Oxford Medilog MR-20", "Oxford Medilog MR-14", "Remco Cardioline")
_UNKNOWN_AGE, _ELDER = "e0166", "e0206"
_FIRST_S, _SHORTEST_S = 34.0, 30.0  # of an episode: none begins in the reference, none is shorter
_SWAPPED = "e0126"
_RESTING_MV = 0.15  # spread of the ST levels that recordings begin with: what is marked is a change from one's own

Mark = tuple[float, str, str]  # second, symbol, note


@dataclass(frozen=True)
class _Course:
    """What happens in a recording: how the leads move, and what is marked of it."""

    st: list[tuple[float, float, float, float]]
    t: list[tuple[float, float, float, float]]
    marks: list[Mark]


def _course(record: str, seconds: float, rng: np.random.Generator) -> _Course:
    """Episodes of each lead, one after the other."""
    found = _Course([], [], [])
    for lead in (0, 1):
        at = _FIRST_S + rng.uniform(0, 0.2) * seconds
        while at + _SHORTEST_S < seconds:
            until = at + rng.uniform(_SHORTEST_S, max(0.35 * seconds, _SHORTEST_S))
            kind = str(rng.choice(["ST", "T", "none"], p=[0.5, 0.25, 0.25]))
            if kind != "none":
                _episode(found, record, lead, kind, (at, until, seconds), rng)
            at = until + rng.uniform(0.05, 0.3) * seconds
    return found


def _episode(
    found: _Course, record: str, lead: int, kind: str, when: tuple[float, float, float], rng: np.random.Generator
) -> None:
    at, until, seconds = when
    sign = "+" if rng.random() < 1 / 3 else "-"  # 118 elevations, 250 depressions
    size = rng.uniform(0.15, 0.40) if kind == "ST" else rng.uniform(0.25, 0.60)
    amount = size if sign == "+" else -size
    turned = kind == "ST" and rng.random() < 0.2  # an axis that turns: moves the same, and is no episode
    (found.st if kind == "ST" else found.t).append((at, until, *((amount, 0.0) if lead == 0 else (0.0, amount))))
    name = f"{kind}{lead}{sign}".lower() if turned else f"{kind}{lead}{sign}"
    symbol, top = ('"', "a") if turned else ("s" if kind == "ST" else "T", "A")
    rubbish = "\x00\x13" if kind == "T" and rng.random() < 0.3 else ""
    found.marks.append((at, symbol, f"({name}{rubbish}"))
    found.marks.append(((at + until) / 2, symbol, f"{top}{name}{round(1000 * size)}"))
    if kind == "T" and size > 0.4:  # mV, passed on the way to the greatest change
        found.marks.append((at + 0.25 * (until - at), symbol, f"T{lead}{sign}{sign}"))
    if until < seconds and record != "e0409":
        found.marks.append((until, symbol, f"{name})"))


def _comments(record: str) -> tuple[str, ...]:
    """A header's lines: the same of one subject's recordings but for their order and, once, the age."""
    person = _SAME.get(record, record)
    number = RECORDS.index(person)
    findings = [_FINDINGS[number % len(_FINDINGS)], f"{1 + number % 3}-vessel disease (case {number // 8})"]
    findings = findings[::-1] if record == _SWAPPED else findings
    age = "-" if person == _UNKNOWN_AGE else str(30 + number * 7 % 55 - (2 if person == _ELDER != record else 0))
    sex = "-" if person == _UNKNOWN_AGE else "F" if number % 10 == 0 else "M"
    told = (
        f"Medications: {_MEDICATIONS[number % len(_MEDICATIONS)]}",
        f"Recorder type: {_RECORDERS[number % len(_RECORDERS)]}",
    )
    return (f"Age: {age}  Sex: {sex}", *findings, *told)


def write_release(root: Path, config: StandIn, rate_hz: int) -> None:
    """Write a stand-in below `root`; the same configuration gives the same bytes.

    Args:
        root: a folder, made if need be.
        config: `patients` of the recordings are written, in their order; `seconds` is how long each is.
    """
    root.mkdir(parents=True, exist_ok=True)
    mark_folder(root)
    seconds = config.seconds or 180.0
    for number, record in enumerate(RECORDS[: config.patients]):
        rng = np.random.default_rng([config.seed, number])
        rate = float(np.random.default_rng([config.seed, RECORDS.index(_SAME.get(record, record)), 1]).normal(72, 9))
        course = _course(record, seconds, rng)
        resting = (0.0, seconds, *_RESTING_MV * np.random.default_rng([config.seed, number, 2]).standard_normal(2))
        heart = Heart(rate, {"V": 0.01}, st=(resting, *course.st), t=tuple(course.t), noise_mv=config.noise_mv)
        signal, beats = recording(heart, rate_hz, seconds, rng)
        last = round(seconds * rate_hz) - 1
        marked = [(min(round(at * rate_hz), last), symbol, note) for at, symbol, note in course.marks]
        told = [(2, "+", "(N"), *((sample, kind, "") for sample, kind in beats), *marked]
        write_annotated(
            root / record, signal + rng.uniform(-5, 7, (2, 1)), sorted(told, key=lambda one: one[0]), rate_hz=rate_hz,
            leads=_LEADS[number % len(_LEADS)], form="212", gain=200.0, baseline=0, comments=_comments(record),
        )  # fmt: skip
