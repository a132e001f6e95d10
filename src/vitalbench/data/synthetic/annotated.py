"""Long recordings of two leads with the truth of every beat: for stand-ins of the annotated databases.

A beat is a sum of Gaussian waves in each lead. What is annotated shapes it: a ventricular beat is early, broad and without P wave,
a supraventricular one early with another P wave, a fusion beat lies between; in atrial fibrillation intervals are irregular and
fibrillating waves stand in the place of P waves; an ST episode lifts or lowers the segment behind the QRS.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from vitalbench.data.wfdb_record import WATERMARK

Floats = NDArray[np.float64]
# Centre s, width s from the R peak; amplitude mV in the first and the second lead.
_NORMAL = ((-0.16, 0.022, 0.12, 0.05), (-0.03, 0.010, -0.10, -0.15), (0.0, 0.012, 1.1, 0.6), (0.03, 0.012, -0.20, -0.45),
           (0.27, 0.050, 0.28, 0.20))  # fmt: skip
_VENTRICULAR = ((-0.02, 0.035, 1.2, -0.9), (0.06, 0.035, -0.7, 0.5), (0.30, 0.060, -0.40, 0.30))
_EARLY = {"S": 0.70, "V": 0.62, "F": 0.90}  # of the interval to the beat before
_BEFORE_S, _AFTER_S = 0.35, 0.55
_ST, _T = (0.13, 0.045), (0.27, 0.050)  # centre and width of what an episode moves


@dataclass(frozen=True)
class Heart:
    """How a generated heart beats.

    Attributes:
        rate: beats a minute.
        chance: of a beat to be of a class, by its annotation (V, S, F); all others are normal.
        fibrillates: from when to when, in seconds.
        st, t: from when to when, and by how many mV in each lead the ST segment or the T wave is moved.
        paced: every beat is a pacemaker's, annotated `/`.
        noise_mv: standard deviation of the white noise.
    """

    rate: float = 72.0
    chance: dict[str, float] = field(default_factory=dict)
    fibrillates: tuple[tuple[float, float], ...] = ()
    st: tuple[tuple[float, float, float, float], ...] = ()
    t: tuple[tuple[float, float, float, float], ...] = ()
    paced: bool = False
    noise_mv: float = 0.03

    def fibrillating(self, at: float) -> bool:
        """Whether it fibrillates at a time."""
        return any(start <= at < end for start, end in self.fibrillates)


def beats_of(heart: Heart, seconds: float, rng: np.random.Generator) -> list[tuple[float, str]]:
    """The time of each R peak in seconds and its annotation."""
    found: list[tuple[float, str]] = []
    mean, kinds = 60 / heart.rate, list(heart.chance)
    chances = [heart.chance[kind] for kind in kinds]
    at, pause = 0.3 + rng.random() * mean, 0.0
    while at < seconds:
        irregular = heart.fibrillating(at)
        kind = "/" if heart.paced else str(rng.choice(["N", *kinds], p=[1 - sum(chances), *chances]))
        kind = "N" if irregular and kind == "S" else kind  # a fibrillating atrium has no beat of its own
        spread = 0.22 if irregular else 0.03
        step = max(mean * (1 + spread * rng.standard_normal()), 0.28) * _EARLY.get(kind, 1.0)
        at, pause = at + step + pause, (1 - _EARLY["V"]) * mean if kind == "V" else 0.0
        if at < seconds:
            found.append((at, kind))
    return found


def _shape(time: Floats, waves: tuple[tuple[float, ...], ...], build: Floats) -> Floats:
    """(2, samples) of one beat."""
    shaped = np.zeros((2, len(time)))
    for number, (centre, width, first, second) in enumerate(waves):
        wave = np.exp(-0.5 * ((time - centre) / width) ** 2)
        shaped += np.outer([first, second], wave) * build[number % len(build)]
    return shaped


def _beat(kind: str, time: Floats, build: Floats, fibrillates: bool) -> Floats:
    if kind == "V":
        return _shape(time, _VENTRICULAR, build)
    if kind == "/":
        return _shape(time, ((-0.08, 0.003, 0.6, 0.6), *_VENTRICULAR), build)
    own = _NORMAL[1:] if fibrillates else _NORMAL
    if kind == "S":  # from elsewhere in the atrium
        own = ((-0.12, 0.018, -0.10, 0.06), *_NORMAL[1:])
    normal = _shape(time, own, build)
    return 0.5 * (normal + _shape(time, _VENTRICULAR, build)) if kind == "F" else normal


def recording(
    heart: Heart, rate_hz: int, seconds: float, rng: np.random.Generator
) -> tuple[Floats, list[tuple[int, str]]]:
    """Draw a recording.

    Returns:
        (2, samples) in millivolt, and the sample and annotation of each beat in it.
    """
    samples = round(seconds * rate_hz)
    time = np.arange(samples) / rate_hz
    build = np.exp(0.15 * rng.standard_normal(len(_NORMAL)))  # what tells one heart from another
    signal = np.zeros((2, samples + round((_BEFORE_S + _AFTER_S) * rate_hz)))
    around = np.arange(-round(_BEFORE_S * rate_hz), round(_AFTER_S * rate_hz)) / rate_hz
    annotated = []
    for at, kind in beats_of(heart, seconds, rng):
        peak = round(at * rate_hz)
        if peak >= samples:
            break
        shape = _beat(kind, around, build, heart.fibrillating(at))
        for moved, (centre, width) in ((heart.st, _ST), (heart.t, _T)):
            for start, end, first, second in moved:
                if start <= at < end:
                    shape = shape + np.outer([first, second], np.exp(-0.5 * ((around - centre) / width) ** 2))
        signal[:, peak : peak + len(around)] += shape  # begins _BEFORE_S earlier, cut off below
        annotated.append((peak, kind))
    signal = signal[:, round(_BEFORE_S * rate_hz) :][:, :samples]
    for start, end in heart.fibrillates:
        within = (time >= start) & (time < end)
        signal += np.outer([0.06, 0.09], within * np.sin(2 * np.pi * 6.3 * time + np.sin(2 * np.pi * 0.4 * time)))
    wander = 0.05 * np.sin(2 * np.pi * 0.2 * time + rng.random() * 6)
    return signal + wander + heart.noise_mv * rng.standard_normal((2, samples)), annotated


def write_annotated(
    path: Path,
    signal: Floats,
    annotations: list[tuple[int, str, str]],
    *,
    rate_hz: int,
    leads: tuple[str, str],
    form: str,
    gain: float,
    baseline: int,
    comments: tuple[str, ...] = (),
    extension: str = "atr",
) -> None:
    """Write a recording with its annotations as the field's library does, the stand-in's watermark in its header.

    Args:
        path: without extension; the folder exists.
        signal: (2, samples) in millivolt.
        annotations: sample, symbol and note, in the order of time.
        form: the WFDB format, 16 or 212.
        gain, baseline: units a millivolt, and the unit of 0 mV.
    """
    least, most = {"212": (-2047, 2047), "16": (-32767, 32767)}[form]
    digital = np.clip(np.rint(signal.T * gain + baseline), least, most).astype(np.int64)
    wfdb.wrsamp(
        path.name, fs=rate_hz, units=["mV", "mV"], sig_name=list(leads), d_signal=digital, fmt=[form, form],
        adc_gain=[gain, gain], baseline=[baseline, baseline], comments=[*comments, WATERMARK], write_dir=str(path.parent),
    )  # fmt: skip
    sample, symbol, note = zip(*annotations, strict=True)
    wfdb.wrann(path.name, extension, np.array(sample), list(symbol), aux_note=list(note), write_dir=str(path.parent))
