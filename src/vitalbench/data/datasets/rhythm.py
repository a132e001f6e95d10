"""Rhythm from annotations: recordings cut into windows that lie in one rhythm, labelled by it.

The MIT-BIH Atrial Fibrillation Database (Moody and Mark 1983), whose changes of rhythm are annotated; the training recordings of
CPSC2021 (Wang et al., doi:10.13026/ksya-qw89) in the same scheme, whose headers name recordings without a change; and the MIT-BIH
Normal Sinus Rhythm Database, where nothing but beats is annotated. A window that holds a change of rhythm is left out. So is what
lies before the first beat and behind the last where beats are annotated: no one looked at it. Where rhythms alone are, the last of
them lasts to the end of the recording.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.header_files import HEADER, header_files
from vitalbench.data.age_and_sex import age_and_sex, with_subgroups
from vitalbench.data.annotation_checks import hold_apart, hold_rhythms, hold_to_end
from vitalbench.data.annotations import Annotations, Facts, read_annotations, read_facts
from vitalbench.data.datasets import FAULT, Record, UnreadableRecord
from vitalbench.data.synthetic.rhythm import write_release
from vitalbench.data.windows import read_window, window_files
from vitalbench.errors import InputError

_OF_PATIENT = re.compile(r"data_(\d+)_\d+")  # as CPSC2021 calls the recordings of one person
_FIBRILLATION, _OTHERWISE = "AFIB", "N"
RHYTHMS = {"afdb": ["AFIB", "AFL", "J", "N"], "cpsc2021": ["AFIB", "AFL", "N"], "nsrdb": ["N"]}  # that a release marks
_FIRST_BEAT_S = 3.0
_SAYS_ALL = {
    "non atrial fibrillation": "N",
    "persistent atrial fibrillation": "AFIB",
}  # a header's comment, of the whole recording


def patient_of(record: str) -> str:
    """Whose recording it is; one a patient but in CPSC2021.

    >>> patient_of("data_21_7"), patient_of("04015")
    ('21', '04015')
    """
    named = _OF_PATIENT.fullmatch(record)
    return named[1] if named else record


def _known(release: str) -> list[str]:
    """The rhythms of a release; of one that is not among them, those of all."""
    return RHYTHMS.get(release) or sorted({rhythm for names in RHYTHMS.values() for rhythm in names})


def _seen(facts: Facts, annotations: Annotations) -> tuple[int, int]:
    """From which sample to which someone looked at a recording, by what is annotated."""
    if not len(annotations.sample):
        return 0, 0
    first, last = int(annotations.sample[0]), int(annotations.sample[-1])
    whole = facts.samples or last
    # The first beat of a recording comes within a heart's pause of its start.
    start = first if first > _FIRST_BEAT_S * facts.rate_hz else 0
    return start, min(last, whole) if annotations.beats() else whole


def rhythm_spans(facts: Facts, annotations: Annotations) -> list[tuple[float, float, str]]:
    """From when to when, in seconds, a recording is in which rhythm.

    A mark with no beat before it is of the rhythm that the recording, or what was looked at of it, begins in. A rhythm lasts to the
    next mark; the last one to the last annotation where beats are annotated, else to the end of the recording.

    Raises:
        UnreadableRecord: `bad-file`: the header says that the whole recording is of one rhythm, and an annotation says another.
    """
    said = next((_SAYS_ALL[line.strip()] for line in facts.comments if line.strip() in _SAYS_ALL), None)
    start, end = _seen(facts, annotations)
    # CPSC2021 ends an episode on the last sample, or behind it: that is no rhythm of its own.
    last = (facts.samples or end) - 1
    changes = [change for change in annotations.rhythms(said or _OTHERWISE) if change[0] < last]
    if said and {name for _, name in changes} != {said}:
        raise UnreadableRecord(
            "bad-file", f"its header says {said} of the whole recording, its annotations another rhythm too"
        )
    starts = [start, *(max(sample, start) for sample, _ in changes[1:]), end]
    spans = zip(starts[:-1], starts[1:], changes, strict=False)
    return [(a / facts.rate_hz, b / facts.rate_hz, name) for a, b, (_, name) in spans if b > a]


def _windows(spans: list[tuple[float, float, str]], seconds: float) -> list[tuple[float, str]]:
    """Where windows begin that follow one another from the start of the recording and lie in one rhythm, and that rhythm."""
    found = []
    for start, end, name in spans:
        first = -int(-start // seconds)  # the first multiple of the window's length that is no earlier
        found += [(at * seconds, name) for at in range(first, int(end // seconds))]
    return found


def _fault(name: str, told: str) -> dict[str, Any]:
    """The one row of a recording of which no window can be used, by its header's name."""
    file = name.removesuffix(HEADER)
    record = PurePosixPath(file).name
    row = {"record_id": record, "patient_id": patient_of(record), "file": file, "recording_id": record, FAULT: told}
    return row | {"start_s": 0.0, "end_s": 0.0, "rhythm": "", "age": float("nan"), "sex": "unknown"}


def _rows(root: Path, name: str, config: DatasetBuild) -> list[dict[str, Any]]:
    file, seconds = name.removesuffix(HEADER), config.signal.seconds
    record = PurePosixPath(file).name
    try:
        facts = read_facts(root / file)
        missing = [lead for lead in config.signal.leads if lead not in facts.leads]
        if missing:
            raise UnreadableRecord("wrong-leads", f"has no lead {missing[0]}")
        marks = read_annotations(root / file, config.annotations or "atr", facts)
        hold_to_end(marks, facts, config.annotated_to_s, f"{record}.{config.annotations}")
        hold_rhythms(marks, facts, _known(config.release), f"{record}.{config.annotations}")
        spans = rhythm_spans(facts, marks)
    except UnreadableRecord as problem:
        return [_fault(name, str(problem))]
    found = _windows(spans, seconds)
    if not found:
        return [_fault(name, f"no {seconds:g} s of it are annotated and in one rhythm")]
    shared = {"patient_id": patient_of(record), "file": file, "recording_id": record}
    age, sex = age_and_sex(facts.comments)
    return [
        {
            "record_id": f"{record}-{start:07.1f}",
            **shared,
            FAULT: "",
            "start_s": start,
            "end_s": start + seconds,
            "rhythm": rhythm,
            "age": age,
            "sex": sex,
        }
        for start, rhythm in found
    ]


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row a window, in the order of recording and time.

    Raises:
        InputError: there is no recording.
    """
    rows: list[dict[str, Any]] = []
    for name in header_files(root, config.header_folders):
        rows += _rows(root, name, config)
    if not rows:
        raise InputError(f"{root}: no header of a recording lies there")
    index = pd.DataFrame(hold_apart(root, rows, config, _fault))
    rhythm = index.pop("rhythm")
    index["labels:rhythm"] = [[name] if name else [] for name in rhythm]
    index["labels:af"] = [["AF"] if name == _FIBRILLATION else [] for name in rhythm]
    return with_subgroups(index)


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """One window."""
    return read_window(root, row, config)


def record_files(file: str, config: DatasetBuild) -> list[str]:
    """A recording's header, samples and annotations."""
    return window_files(file, config)


def write_standin(root: Path, config: DatasetBuild) -> None:
    """Generated recordings with the names, formats and annotations of the data set's release."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    write_release(root, config.release, config.standin, config.signal.rate_hz)
