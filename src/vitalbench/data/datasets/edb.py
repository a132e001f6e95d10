"""European ST-T Database, Taddei et al. 1992: episodes of ST and T change in two hours of two leads, by windows of one lead.

Two cardiologists marked where each lead's ST segment or T wave leaves the one of the recording's first 30 seconds, lead by lead: an
episode begins with `(ST0-`, its greatest change is noted as `AST0-250` (microvolt), it ends with `ST0-)`; the digit is the lead's
place in the header. So a row of the index is a window of one lead, by the lead's name, and a record is that window beside ten
seconds of the first 30: what was marked is a difference, which no window shows by itself. A window with a begin or an end in it is
left out.

The release says that its 90 recordings are of 79 subjects, and not which. Recordings whose headers agree in age, sex, recorder,
medication and the set of findings count as one subject's, which gives 80; e0206 and e0210 differ in their age alone, by two years.
ECGBench 1.0.0 (labels/edb.py) has found that on the release's own headers, and that it gives the 79, the men's ages as published.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.header_files import HEADER, header_files
from vitalbench.data.age_bands import age_bands
from vitalbench.data.annotation_checks import hold_apart
from vitalbench.data.annotations import Annotations, Facts, read_annotations, read_facts
from vitalbench.data.datasets import FAULT, Record, UnreadableRecord
from vitalbench.data.synthetic.edb import write_release
from vitalbench.data.wfdb_formats import MARK
from vitalbench.data.windows import cut, recording_of, window_files
from vitalbench.errors import InputError
from vitalbench.progress import say

REFERENCE_S = 30.0  # at a recording's start: what its episodes are changes from
_SHOWN_FROM_S = 10.0  # of the ten seconds of it that a record shows
_SAME_BUT_AGE = {"e0210": "e0206"}
_SYMBOLS = ("s", "T", '"')  # ST change, T wave change, comment
_EPISODE = re.compile(r"(?P<begins>\()?[Aa]?(?P<kind>ST|T|st|t)(?P<lead>[01])(?P<sign>[+-]{1,2})\d*(?P<ends>\))?")
_SUBJECT = re.compile(r"Age:\s*(\S+)\s+Sex:\s*(\S+)")
_SEX = {"M": "male", "F": "female"}


@dataclass
class Episodes:
    """What is marked in one lead of a recording, in samples.

    Attributes:
        spans: begin, end and kind: ST+, ST-, T+, T-; in small letters where a turned axis only looks like it.
        unknown: from when to when nothing is known, for an episode's end was not marked.
    """

    spans: list[tuple[int, int, str]] = field(default_factory=list)
    unknown: list[tuple[int, int]] = field(default_factory=list)

    @property
    def edges(self) -> list[int]:
        """Where an episode begins or ends."""
        return [edge for start, end, _ in self.spans for edge in (start, end)]


def episodes(annotations: Annotations, lead: int, samples: int) -> Episodes:
    """The episodes of one lead.

    An episode that is not ended is known up to its last mark. A doubled sign (`T0++`) marks where a change passes 0.4 mV, which
    is no episode of its own.

    Args:
        lead: its place in the header, 0 or 1.
        samples: of the recording.

    Raises:
        UnreadableRecord: `bad-file`: an episode ends that did not begin.
    """
    found = Episodes()
    running: dict[str, tuple[int, int]] = {}  # begin and last mark

    def leave(kind: str, until: int) -> None:
        start, last = running.pop(kind)
        found.spans.append((start, last, kind))
        found.unknown.append((last, until))

    for sample, symbol, note in zip(annotations.sample.tolist(), annotations.symbol, annotations.note, strict=True):
        said = _EPISODE.fullmatch(note) if symbol in _SYMBOLS else None
        if said is None or int(said["lead"]) != lead or len(said["sign"]) > 1:
            continue
        kind = said["kind"] + said["sign"]
        if said["begins"]:
            if kind in running:
                leave(kind, sample)
            running[kind] = sample, sample
        elif kind in running and said["ends"]:
            found.spans.append((running.pop(kind)[0], sample, kind))
        elif kind in running:
            running[kind] = running[kind][0], sample
        elif said["ends"] and kind.isupper():
            raise UnreadableRecord("bad-file", f"its annotations end an episode of {kind} that did not begin")
    for kind in list(running):
        leave(kind, samples)
    return found


def windows(found: Episodes, end: int, length: int, first: int) -> Iterator[tuple[int, list[str]]]:
    """Where windows begin that follow one another and are of one state throughout, and which episodes each lies in.

    Args:
        end: the sample behind the last that anyone looked at.
        length: of a window, in samples.
        first: the sample before which none begins.
    """
    edges = found.edges
    for start in range(-(-first // length) * length, end - length + 1, length):
        stop = start + length
        if any(start < edge < stop for edge in edges) or any(a < stop and start < b for a, b in found.unknown):
            continue
        yield start, sorted({kind for begin, close, kind in found.spans if begin <= start and stop <= close})


def subject_key(comments: list[str]) -> tuple[str, ...] | None:
    """What a header says of whose recording it is; None where it says nothing.

    >>> subject_key(["Age: 62  Sex: M", "Mixed angina", "Recorder type: ICR 7200"])
    ('Age: 62 Sex: M', 'Mixed angina', 'Recorder type: ICR 7200')
    """
    told = sorted({" ".join(line.split()) for line in comments} - {""})
    return tuple(told) if any(_SUBJECT.fullmatch(line) for line in told) else None


def _age_and_sex(comments: list[str]) -> tuple[float, str]:
    said = next((match for line in comments if (match := _SUBJECT.search(line))), None)
    if said is None:
        return np.nan, "unknown"
    return float(said[1]) if said[1].isdigit() else np.nan, _SEX.get(said[2], "unknown")


@dataclass(frozen=True)
class _Recording:
    """One recording of the release."""

    name: str
    file: str
    facts: Facts
    marks: Annotations


def _read(root: Path, name: str, config: DatasetBuild) -> _Recording:
    file = name.removesuffix(HEADER)
    facts = read_facts(root / file)
    if not 0 < len(facts.leads) <= 2 or len(set(facts.leads)) != len(facts.leads):  # marks name 0 and 1
        raise UnreadableRecord("wrong-leads", f"leads {' '.join(facts.leads) or 'none'}, not one or two")
    marks = read_annotations(root / file, config.annotations or "atr", facts)
    return _Recording(PurePosixPath(file).name, file, facts, marks)


def _rows(one: _Recording, seconds: float) -> Iterator[dict[str, Any]]:
    """A row a window of each lead."""
    length, first = (round(span * one.facts.rate_hz) for span in (seconds, REFERENCE_S))
    age, sex = _age_and_sex(one.facts.comments)
    end = min(int(one.marks.sample[-1]), one.facts.samples) if len(one.marks.sample) else 0
    for place, lead in enumerate(one.facts.leads):
        found = episodes(one.marks, place, one.facts.samples)
        for start, kinds in windows(found, end, length, first):
            at = start / one.facts.rate_hz
            yield {
                "record_id": f"{one.name}-{lead}-{at:07.1f}",
                "file": one.file,
                FAULT: "",
                "recording_id": one.name,
                "start_s": at,
                "end_s": at + seconds,
                "lead": lead,
                "age": age,
                "sex": sex,
                "kinds": [kind for kind in kinds if kind.isupper()],
                "shifted": any(kind.islower() for kind in kinds),
            }


def _fault(name: str, told: str) -> dict[str, Any]:
    """The one row of a recording of which no window can be used."""
    file = name.removesuffix(HEADER)
    record = PurePosixPath(file).name
    row = {"record_id": record, "file": file, FAULT: told, "recording_id": record, "start_s": 0.0, "end_s": 0.0}
    return row | {"lead": "", "age": np.nan, "sex": "unknown", "kinds": [], "shifted": False}


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row a window of a lead, in the order of recording, lead and time.

    Raises:
        InputError: there is no recording.
    """
    rows: list[dict[str, Any]] = []
    subject: dict[tuple[str, ...], str] = {}
    owner: dict[str, str] = {}
    silent = []
    for name in header_files(root, config.header_folders):
        try:
            one = _read(root, name, config)
            found = list(_rows(one, config.signal.seconds))
            if not found:
                told = f"no {config.signal.seconds:g} s of it are annotated and behind its first {REFERENCE_S:g} s"
                raise UnreadableRecord("bad-file", told)
            rows += found
        except UnreadableRecord as problem:
            rows.append(_fault(name, str(problem)))
            continue
        key = subject_key(one.facts.comments)
        if key is None:
            silent.append(one.name)
        owner[one.name] = subject.setdefault(key, one.name) if key else one.name
    if not rows:
        raise InputError(f"{root}: no header of a recording lies there")
    if silent:
        say(
            f"{root}: {len(silent)} headers do not say whose they are; each counts as a subject of its own: {silent[0]}"
        )
    merged = {again: owner.get(first, first) for again, first in _SAME_BUT_AGE.items()}
    index = pd.DataFrame(hold_apart(root, rows, config, _fault))
    index.insert(1, "patient_id", index["recording_id"].map(owner | merged).fillna(index["recording_id"]))
    kinds, shifted = index.pop("kinds"), index.pop("shifted")
    index["group:lead"] = index["lead"]
    index["group:sex"] = index["sex"]
    index["group:age_band"] = age_bands(index["age"])
    index["group:axis_shift"] = np.where(shifted, "yes", "no")
    index["labels:st"] = [["ST"] if any(kind.startswith("ST") for kind in found) else [] for found in kinds]
    index["labels:stt"] = kinds
    return index


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """One window of a lead, and ten seconds of the same lead's first 30.

    The amplifiers' offset was not calibrated, as far as 9 mV, so the lead's median over its first 30 seconds stands for 0 mV.
    """
    recording, rate_hz = recording_of(root, str(row["file"]), [str(row["lead"])], config)
    shown = [cut(recording, rate_hz, start, config) for start in (float(row["start_s"]), _SHOWN_FROM_S)]
    first = recording.digital[0, : round(REFERENCE_S * rate_hz)]
    zero = np.float32(np.rint(np.median(first[first != MARK]))) if (first != MARK).any() else recording.baseline[0]
    return Record(
        digital=np.concatenate([one.digital for one in shown]),
        gain=np.concatenate([one.gain for one in shown]),
        baseline=np.full(2, zero, dtype=np.float32),
        generated=recording.generated,
    )


def record_files(file: str, config: DatasetBuild) -> list[str]:
    """A recording's header, samples and annotations."""
    return window_files(file, config)


def write_standin(root: Path, config: DatasetBuild) -> None:
    """Generated recordings under the database's names, with its leads, headers and annotations."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    write_release(root, config.standin, config.signal.rate_hz)
