"""What a generated record is made with, in the units in which ECGs are read: rates, intervals, amplitudes, axis and noise.

The generator (ecg.py) is driven by severities; these are what they come to. A wave is a Gaussian: it begins two widths before its
centre and ends two behind it, where 14 % of it are left. Nothing here is measured of the samples, so it is exact at any noise. It
is exact of the samples, not of the findings: those say how severities were drawn, which scatter, and which beats come is chance.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import StandIn
from vitalbench.data.snomed import from_statements
from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES
from vitalbench.data.synthetic.ptbxl import CHUNK, draw_patients, draw_statements
from vitalbench.data.wfdb_record import WATERMARK, mark_folder
from vitalbench.files import atomic

TABLE = "parameters.csv"
# Column: decimals. rr_ms is the record's mean; heart_rate_bpm is the rate that irregular hearts and ectopic beats depart from.
COLUMNS = {
    "heart_rate_bpm": 2, "rr_ms": 1, "beats": 0, "ectopic_beats": 0, "pr_ms": 1, "qrs_ms": 1, "qt_ms": 1, "axis_deg": 1, "r_mv": 4,
    "st_mv": 4, "t_mv": 4, "noise_mv": 4,
}  # fmt: skip
_NOISE_SPREAD = 3.0  # levels lie between a third of the configured one and three times it, every ratio as often
_TRAITS, _SIGNAL, _STATEMENTS, _LEVEL = 4, 5, 6, 7  # streams of random numbers
_EXTENT = 2.0  # widths
_WITHOUT_P = {"AFIB", "AFLT"}  # statements of an atrium that does not beat: no PR interval
_MS = 1000


def _rng(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream, number])


def _traits(seed: int, number: int) -> ecg.Traits:
    """What tells one heart from another; how noisy the record is, is a parameter of its own."""
    drawn = ecg.Traits.draw(1, _rng(seed, _TRAITS, number))
    return ecg.Traits(drawn.waves, drawn.log_rate, np.zeros_like(drawn.log_noise))


def _together(traits: list[ecg.Traits]) -> ecg.Traits:
    return ecg.Traits(
        *(np.concatenate([getattr(one, part) for one in traits]) for part in ("waves", "log_rate", "log_noise"))
    )


def beat_times(
    severity: NDArray[np.float64], seed: int, number: int, seconds: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The R peaks of one record, in seconds, and which of them are ectopic.

    Args:
        severity: (axes,).
        number: the record's.
    """
    level = severity[None].astype(np.float32)
    times, ectopic = ecg.beats(level, _traits(seed, number), seconds, _rng(seed, _SIGNAL, number))
    inside = (times[0] >= 0) & (times[0] < seconds)
    return times[0][inside], ectopic[0][inside]


def signal_of(
    severity: NDArray[np.float64], noise_mv: float, seed: int, number: int, *, rate_hz: int, seconds: float
) -> NDArray[np.int16]:
    """The samples of one record, (12, samples) of 1 microvolt: of its own number, whichever records are made beside it."""
    traits = _traits(seed, number)
    rng = _rng(seed, _SIGNAL, number)
    drawn = ecg.waveforms(severity[None], traits, rng, rate_hz=rate_hz, seconds=seconds, noise_mv=noise_mv)
    samples: NDArray[np.int16] = drawn[0]
    return samples


def _size(wave: dict[str, ecg.Floats]) -> ecg.Floats:
    size: ecg.Floats = np.sqrt(wave["x"] ** 2 + wave["y"] ** 2 + wave["z"] ** 2)
    return size


def _waves(
    severity: NDArray[np.float64], traits: ecg.Traits, rr_s: NDArray[np.float64]
) -> dict[str, NDArray[np.floating]]:
    level = severity.astype(np.float32)
    waves, gain = ecg.waves_of(level, traits), ecg.voltage_gain(level)
    p, q, r, s, st, t = (ecg.wave(waves, name) for name in ("P", "Q", "R", "S", "ST", "T"))
    begins = q["centre"] - _EXTENT * q["width"]
    t_centre = t["centre"] * np.sqrt(rr_s)  # as the generator stretches it (Bazett)
    return {
        "pr_ms": _MS * (begins - (p["centre"] - _EXTENT * p["width"])),
        "qrs_ms": _MS * (s["centre"] + _EXTENT * s["width"] - begins),
        "qt_ms": _MS * (t_centre + _EXTENT * t["width"] - begins),
        "axis_deg": np.degrees(np.arctan2(r["y"], r["x"])),
        "r_mv": gain * _size(r),
        "st_mv": gain * _size(st),
        "t_mv": gain * _size(t),
    }


def _chunk(some: pd.DataFrame, first: int, config: StandIn, seconds: float) -> pd.DataFrame:
    """The rows of some records, numbered from `first` on."""
    rng = _rng(config.seed, _STATEMENTS, first)
    codes, drawn = draw_statements(some["diagnoses"].to_numpy(), config.separation, rng, config.evenness)
    severity = drawn.round(4)  # as it is written: the samples are made of what the table says
    numbers = range(first, first + len(some))
    traits = _together([_traits(config.seed, number) for number in numbers])
    beats = [beat_times(row, config.seed, number, seconds) for row, number in zip(severity, numbers, strict=True)]
    rr_s = np.array([np.diff(times).mean() if len(times) > 1 else np.nan for times, _ in beats])
    regular = ecg.intervals(severity.astype(np.float32), traits)
    spread = _rng(config.seed, _LEVEL, first).uniform(-1, 1, len(some))
    columns = {
        "heart_rate_bpm": 60 / regular,
        "rr_ms": _MS * rr_s,
        "beats": np.array([len(times) for times, _ in beats]),
        "ectopic_beats": np.array([int(ectopic.sum()) for _, ectopic in beats]),
        "noise_mv": config.noise_mv * _NOISE_SPREAD**spread,
        **_waves(severity, traits, np.where(np.isnan(rr_s), regular, rr_s)),
    }
    fibrillates = np.array([not _WITHOUT_P.isdisjoint(row) for row in codes])
    columns["pr_ms"] = np.where(fibrillates, np.nan, columns["pr_ms"])
    about = pd.DataFrame({
        "record_id": [f"{number:06d}" for number in numbers],
        "age": np.minimum(some["age"].to_numpy(), 90),
        "sex": np.where(some["sex"] == 1, "female", "male"),
        "codes": [" ".join(from_statements(row)) for row in codes],
    })  # fmt: skip
    exact = pd.DataFrame({name: np.round(columns[name].astype(float), places) for name, places in COLUMNS.items()})
    return pd.concat([about, exact, pd.DataFrame(severity, columns=[f"truth:{axis}" for axis in AXES])], axis=1)


def tables(config: StandIn, seconds: float) -> Iterator[pd.DataFrame]:
    """The table of parameters, some records at a time; a record's row depends on the configuration and its number alone."""
    patients = draw_patients(config.model_copy(update={"repeat_share": 0.0}))
    for start in range(0, len(patients), CHUNK):
        yield _chunk(patients.iloc[start : start + CHUNK].reset_index(drop=True), start + 1, config, seconds)


def write_release(root: Path, config: StandIn, seconds: float) -> None:
    """Write the table below `root`: of the records there is nothing more, for each is made of its row when it is read."""
    mark_folder(root)
    with atomic(root / TABLE) as temporary, temporary.open("w", encoding="utf-8", newline="") as target:
        for at, table in enumerate(tables(config, seconds)):
            marked = table.assign(note=WATERMARK)
            marked.to_csv(target, index=False, header=at == 0, lineterminator="\n")
