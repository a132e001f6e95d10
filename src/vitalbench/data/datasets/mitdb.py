"""MIT-BIH Arrhythmia Database, Moody and Mark 2001 (doi:10.1109/51.932724): every beat of 48 half hours as a window of its own.

The split between patients is de Chazal et al.'s (2004, doi:10.1109/TBME.2004.827359): DS1 to train on, DS2 to test on, the four
recordings with paced beats in neither. Recordings 201 and 202 are of one person and lie in DS1 and DS2: 201 is not trained on.
Leads are found by name: 114 has MLII second, 102 and 104 have none.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.header_files import HEADER, header_files
from vitalbench.data.age_and_sex import age_and_sex, with_subgroups
from vitalbench.data.annotation_checks import hold_apart, hold_beats, hold_to_end
from vitalbench.data.annotations import Facts, read_annotations, read_facts
from vitalbench.data.datasets import FAULT, Record, UnreadableRecord
from vitalbench.data.synthetic.mitdb import write_release
from vitalbench.data.windows import read_window, window_files
from vitalbench.errors import InputError
from vitalbench.progress import say

DS1 = [
    "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122",
    "124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
]  # fmt: skip
DS2 = [
    "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210",
    "212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
]  # fmt: skip
# Beats of the five classes in each, as the database's directory has them: 109,494.
BEATS = {
    "100": 2273, "101": 1865, "102": 2187, "103": 2084, "104": 2229, "105": 2572, "106": 2027, "107": 2137,
    "108": 1763, "109": 2532, "111": 2124, "112": 2539, "113": 1795, "114": 1879, "115": 1953, "116": 2412,
    "117": 1535, "118": 2278, "119": 1987, "121": 1863, "122": 2476, "123": 1518, "124": 1619, "200": 2601,
    "201": 1963, "202": 2136, "203": 2980, "205": 2656, "207": 1860, "208": 2955, "209": 3005, "210": 2650,
    "212": 2748, "213": 3251, "214": 2262, "215": 3363, "217": 2208, "219": 2154, "220": 2048, "221": 2427,
    "222": 2483, "223": 2605, "228": 2053, "230": 2256, "231": 1571, "232": 1780, "233": 3079, "234": 2753,
}  # fmt: skip
_WHOLE = 650_000  # samples of a recording of the release; of a shorter one no count is published
PACED = ["102", "104", "107", "217"]
SUBJECT = {"202": "201"}  # the second recording of one person
# Of DS1, for choosing thresholds and weights: together they have beats of every class.
VALIDATION = ("109", "118", "205", "223")
_RECORDS = {*DS1, *DS2, *PACED}
_LEFT_OUT = "201"  # of DS1: the person of 202, which is tested on


def split_of(record: str) -> str:
    """The split a recording is in.

    >>> [split_of(record) for record in ("101", "118", "100", "201", "202", "102")]
    ['train', 'val', 'test', 'unused', 'test', 'unused']
    """
    if record in DS2:
        return "test"
    if record == _LEFT_OUT or record in PACED:
        return "unused"
    return "val" if record in VALIDATION else "train"


def _fault(name: str, told: str) -> dict[str, Any]:
    """The one row of a recording of which no beat can be used, by its header's name."""
    file = name.removesuffix(HEADER)
    record = PurePosixPath(file).name
    row: dict[str, Any] = {"record_id": record, "patient_id": SUBJECT.get(record, record), "file": file, FAULT: told}
    row |= {"recording_id": record, "start_s": 0.0, "end_s": 0.0, "class": "", "inter_patient": "unused"}
    return row | {"age": float("nan"), "sex": "unknown"}


def _beats(record: str, file: str, facts: Facts, beats: list[tuple[int, str]], seconds: float) -> list[dict[str, Any]]:
    """A row a beat whose window lies in the recording."""
    rows = []
    age, sex = age_and_sex(facts.comments)
    for sample, aami in beats:
        start = round(sample - seconds / 2 * facts.rate_hz)
        if start < 0 or start + round(seconds * facts.rate_hz) > facts.samples:
            continue
        begins = start / facts.rate_hz
        rows.append(
            {
                "record_id": f"{record}-{sample:06d}",
                "patient_id": SUBJECT.get(record, record),
                "file": file,
                FAULT: "",
                "recording_id": record,
                "start_s": begins,
                "end_s": begins + seconds,
                "class": aami,
                "inter_patient": split_of(record),
                "age": age,
                "sex": sex,
            }
        )
    return rows


def _rows(root: Path, name: str, config: DatasetBuild) -> tuple[list[dict[str, Any]], int]:
    """The rows of one recording, and how many of its beats are too near an end for a window."""
    file = name.removesuffix(HEADER)
    record = PurePosixPath(file).name
    try:
        facts = read_facts(root / file)
        marks = read_annotations(root / file, config.annotations or "atr", facts)
        if facts.samples == _WHOLE:
            hold_beats(marks, BEATS[record], f"{record}.{config.annotations}")
        hold_to_end(marks, facts, config.annotated_to_s, f"{record}.{config.annotations}")
    except UnreadableRecord as problem:
        return [_fault(name, str(problem))], 0
    beats = marks.beats()
    missing = [lead for lead in config.signal.leads if lead not in facts.leads]
    if missing:
        return [_fault(name, f"has no lead {missing[0]}")], 0
    rows = _beats(record, file, facts, beats, config.signal.seconds)
    if not rows:
        return [_fault(name, f"no beat of it has a window of {config.signal.seconds:g} s")], len(beats)
    return rows, len(beats) - len(rows)


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row a beat of the 48 recordings, in the order of recording and time.

    Raises:
        InputError: none of them is there.
    """
    rows: list[dict[str, Any]] = []
    others, cut = [], 0
    for name in header_files(root, config.header_folders):
        if PurePosixPath(name).stem not in _RECORDS or "/" in name:
            others.append(name)  # as the release's own x_mitdb/, whose excerpts are no further recordings
            continue
        found, near_ends = _rows(root, name, config)
        rows, cut = rows + found, cut + near_ends
    if not rows:
        raise InputError(f"{root}: none of the {len(_RECORDS)} recordings is there")
    if others:
        say(f"{root}: {len(others)} headers are of no recording of the database and are left alone: {others[0]}")
    if cut:
        say(f"{root}: {cut} beats lie too near an end of their recording for a window of {config.signal.seconds:g} s")
    index = pd.DataFrame(hold_apart(root, rows, config, _fault))
    aami = index.pop("class")
    index["labels:aami"] = [[name] if name else [] for name in aami]
    index["labels:nsvf"] = [[name] if name in "NSVF" and name else [] for name in aami]
    return with_subgroups(index)


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """The window of one beat."""
    return read_window(root, row, config)


def record_files(file: str, config: DatasetBuild) -> list[str]:
    """A recording's header, samples and annotations."""
    return window_files(file, config)


def write_standin(root: Path, config: DatasetBuild) -> None:
    """Generated recordings under the names of the database's 48, with its leads, formats and annotations."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    write_release(root, config.standin, [*DS1, *DS2, *PACED], PACED)
