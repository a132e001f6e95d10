"""A source of the 2021 PhysioNet Challenge made of generated records: its folders, names, headers and `.mat` files.

What the sources' own records hold beside good ones is planted here: units written `mv`, ages that are not known, two codes for one
finding, leads at one value, records of other lengths than ten seconds, one recording under two names.
"""

from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import StandIn
from vitalbench.data.snomed import from_statements
from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES
from vitalbench.data.synthetic.ptbxl import CHUNK, TRUTH, draw_patients, draw_statements
from vitalbench.data.wfdb_record import mark_folder, write_wfdb
from vitalbench.files import write_text

RATE_HZ = 500
_LEADS = tuple(name.replace("AV", "aV") for name in ecg.LEADS)
# How a source calls its records, and the number it begins with.
_NAMES = {
    "georgia": ("E{:05d}", 1),
    "chapman_shaoxing": ("JS{:05d}", 1),
    "ningbo": ("JS{:05d}", 10647),
    "cpsc_2018": ("A{:04d}", 1),
    "cpsc_2018_extra": ("Q{:04d}", 1),
    "ptb-xl": ("HR{:05d}", 1),
}
_TOGETHER = 1000  # records a folder g1, g2 ...
_LONGEST_S, _CPSC_S = 30.0, (6, 9, 10, 10, 12, 15, 30)  # of CPSC's records, which are as long as they came
# White noise of a source's recorders beside that of all, mV: what a design trained on another has not seen.
_NOISE_MV = {"chapman_shaoxing": 0.05, "ningbo": 0.05, "cpsc_2018": 0.10, "cpsc_2018_extra": 0.10}
_EVERY = 40  # one record in so many has a trap
_SILENT, _FIRST_SILENT = 300, 77  # and one in so many says nothing of what it shows
_MISSING_LEADS = (7, 9, 11)  # V2, V4, V6 as in Ningbo's records that lack some
_SEX = ("Male", "Female")
_TWINS = {"713427006": "59118001", "284470004": "63593006", "164909002": "733534002"}  # two codes, one finding


def _seconds(source: str, number: int) -> float:
    if source.startswith("cpsc"):
        return float(_CPSC_S[number % len(_CPSC_S)])
    return 5.0 if source == "georgia" and number % _EVERY == 1 else 10.0


def _comments(source: str, number: int, patient: dict[Hashable, Any], codes: list[str]) -> tuple[str, ...]:
    silent = number % _SILENT == _FIRST_SILENT and source != "ptb-xl"  # whose every statement has a code
    said = [] if silent else [_TWINS.get(code, code) if number % 2 else code for code in codes]
    age = "NaN" if number % _EVERY == 3 else str(min(int(patient["age"]), 89))
    told = f"Age: {age}", f"Sex: {_SEX[patient['sex']]}", f"Dx: {','.join(said)}"
    other = "Rx: Unknown", "Hx: Unknown", "Sx: Unknown"
    return (*told, *other, *(("unnecessary comment",) if source == "ptb-xl" else ()))


def _recorded(digital: NDArray[np.int16], source: str, rng: np.random.Generator) -> NDArray[np.int16]:
    """A record as the source's recorders add their noise to it."""
    noise = _NOISE_MV.get(source, 0.0) * ecg.UNITS_PER_MV
    if not noise:
        return np.ascontiguousarray(digital)
    return np.rint(digital + noise * rng.standard_normal(digital.shape)).astype(np.int16)


def write_record(path: Path, digital: NDArray[np.int16], source: str, number: int, comments: tuple[str, ...]) -> None:
    """Write one record as its source has it.

    Args:
        path: without extension; the folder exists.
        digital: (12, samples) of 1 microvolt at 500 Hz.
        source: by its official name.
        number: of the record in its source; some have what the source's records have beside good ones.
        comments: age, sex and diagnoses, in the header's words.
    """
    if source == "ningbo" and number % _EVERY == 2:
        digital = digital.copy()
        digital[_MISSING_LEADS, :] = 0
    write_wfdb(path, digital, _LEADS, RATE_HZ, ecg.UNITS_PER_MV, comments, matlab=True)
    if source == "ptb-xl":
        header = path.with_suffix(".hea")
        write_text(header, header.read_text(encoding="ascii").replace("/mV", "/mv"))


def in_turn(sources: int, first_share: float | None) -> list[int]:
    """Whose record comes next, round and round: each source's once, the first one's as often as makes its share of all records.

    >>> in_turn(3, None), in_turn(3, 0.6)
    ([0, 1, 2], [0, 0, 0, 1, 2])
    """
    others = list(range(1, sources))
    often = 1 if first_share is None else max(1, round(first_share * len(others) / (1 - first_share)))
    return [0] * often + others


def whose_turn(at: int, turns: list[int]) -> tuple[int, int]:
    """Whose record one is, and how many of the same source were before it.

    >>> [whose_turn(at, [0, 0, 1]) for at in range(5)]
    [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3)]
    """
    rounds, place = divmod(at, len(turns))
    turn = turns[place]
    return turn, rounds * turns.count(turn) + turns[:place].count(turn)


def write_release(root: Path, config: StandIn, folders: list[str]) -> None:
    """Write a stand-in below `root`; the same configuration gives the same bytes.

    Args:
        root: a folder, made if need be.
        config: how many patients, of one record each; how separable, how noisy, which seed.
        folders: of the data set; records go into those with an official name, as many into each or
            `first_share` of them into the first.
    """
    folder_of: dict[str, str] = {}  # the first that is named: a source may lie in one of two
    for folder in folders:
        if (source := PurePosixPath(folder).name) in _NAMES:
            folder_of.setdefault(source, folder)
    sources = [(folder, source) for source, folder in folder_of.items()]
    turns = in_turn(len(sources), config.first_share)
    patients = draw_patients(config.model_copy(update={"repeat_share": 0.0}))
    truth: list[pd.DataFrame] = []
    mark_folder(root)
    for start in range(0, len(patients), CHUNK):
        some = patients.iloc[start : start + CHUNK].reset_index(drop=True)
        rng = np.random.default_rng([config.seed, 2, start])
        codes, severity = draw_statements(some["diagnoses"].to_numpy(), config.separation, rng, config.evenness)
        traits = ecg.Traits.draw(len(some), rng)
        longest = _LONGEST_S if any(source.startswith("cpsc") for _, source in sources) else 10.0
        signals = ecg.waveforms(severity, traits, rng, rate_hz=RATE_HZ, seconds=longest, noise_mv=config.noise_mv)
        names: list[str] = []
        last: dict[str, int] = {}  # of this chunk, the source's record before
        people = some.to_dict("records")
        for at in range(len(people)):
            turn, count = whose_turn(start + at, turns)
            folder, source = sources[turn]
            pattern, first = _NAMES[source]
            name = pattern.format(first + count)
            place = root / folder / f"g{count // _TOGETHER + 1}"
            place.mkdir(parents=True, exist_ok=True)
            again = source == "georgia" and count % _EVERY == 6 and source in last
            shown = last[source] if again else at
            last[source] = at
            severity[at] = severity[shown]
            own = np.random.default_rng([config.seed, 3, start + at])
            kept = _recorded(signals[shown][:, : round(_seconds(source, count) * RATE_HZ)], source, own)
            comments = _comments(source, count, people[shown], from_statements(codes[shown]))
            write_record(place / name, kept, source, count, comments)
            names.append(name)
        columns = [f"truth:{axis}" for axis in AXES]
        truth.append(pd.DataFrame(severity.round(4), columns=columns).assign(record_id=names))
    write_text(root / TRUTH, pd.concat(truth).to_csv(index=False, lineterminator="\n"))
